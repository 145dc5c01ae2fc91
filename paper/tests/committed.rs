//! The committed results: complete, consistent with the configs, and rendered as the tables say.

use paper::config;
use paper::configs::Configs;
use paper::metrics_csv;
use paper::posterior;
use paper::results::Results;
use paper::tables;
use paper::work::Recorded;
use std::path::{Path, PathBuf};

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn committed() -> Results {
    Results::read(&home().join("results")).unwrap()
}

#[test]
fn every_run_of_the_configs_has_its_record() {
    let records = committed().mixtures;
    let runs: Vec<_> = config::read_all(&home().join("configs"))
        .unwrap()
        .iter()
        .flat_map(config::Protocol::runs)
        .collect();
    assert_eq!(records.len(), runs.len());
    for run in &runs {
        let hash = run.hash();
        let found = records.iter().find(|r| r.hash == hash);
        assert!(
            found.is_some_and(|r| &r.run == run),
            "no record of {}: run ./reproduce.sh --update",
            run.stem()
        );
    }
}

#[test]
fn every_run_of_a_study_has_its_record() {
    let configs = Configs::read(&home().join("configs")).unwrap();
    let results = committed();
    let mut wanted = 0;
    for (protocol, runs, missing) in configs.missing(&results) {
        wanted += runs;
        assert!(
            missing.is_empty(),
            "{} records of {protocol} are missing: run ./reproduce.sh --protocol {protocol} --update\n  {}",
            missing.len(),
            missing.join("\n  ")
        );
    }
    assert_eq!(wanted, results.posteriors.len() + results.amortised.len());
}

#[test]
fn metrics_csv_holds_the_records_and_nothing_else() {
    let rows = metrics_csv::read(&home().join("results/metrics.csv")).unwrap();
    assert_eq!(rows, committed().rows());
    assert!(rows.iter().all(|r| r.value.is_finite()));
}

#[test]
fn rendered_tables_are_locked() {
    let results = committed();
    let mut all = tables::all(&results.mixtures);
    let mut posteriors = posterior::tables::all(&results.posteriors);
    posteriors.extend(posterior::amortised::tables::all(&results.amortised));
    all.extend(posteriors.into_iter().map(|t| t.table));
    for table in all {
        // Times differ from machine to machine, and with them a claim about them.
        if !["times", "claims", "posterior_times"].contains(&table.stem.as_str()) {
            insta::assert_snapshot!(table.stem.clone(), table.markdown());
        }
        let file = home()
            .join("results/tables")
            .join(format!("{}.md", table.stem));
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            table.markdown(),
            "{} is stale",
            file.display()
        );
    }
}

#[test]
fn every_file_that_the_report_shows_exists() {
    let results = home().join("results");
    let report = std::fs::read_to_string(results.join("REPORT.md")).unwrap();
    let links: Vec<PathBuf> = report
        .split("](")
        .skip(1)
        .filter_map(|s| s.split(')').next())
        .map(|s| results.join(s))
        .collect();
    assert!(links.len() > 20, "{} figures", links.len());
    for link in links {
        assert!(link.exists(), "{} is missing", link.display());
    }
}

#[test]
fn every_run_beats_the_published_mixture_when_held_out() {
    // The band: the mean over seeds plus two standard errors.
    let published = [
        ("banana", 0.35),
        ("x_shape", 0.30),
        ("bimodal", 0.22),
        ("two_moons", 0.25),
        ("rings", 0.41),
    ];
    let records = committed().mixtures;
    let groups = paper::summary::groups(&records);
    for (family, bar) in published {
        let g = groups
            .iter()
            .find(|g| g.protocol == "held_out" && g.family.name() == family)
            .unwrap();
        let gap = g.gap("mixture").unwrap();
        assert!(
            gap.value + 2.0 * gap.error.unwrap() < bar,
            "{family}: {gap:?}"
        );
    }
}

#[test]
fn the_protocol_default_is_the_recipe_of_the_library() {
    let protocol = config::Protocol::read(&home().join("configs/default.ron")).unwrap();
    let recipe = amf::Recipe::default();
    assert_eq!(protocol.cross_fit, Some(recipe.partition));
    assert_eq!(protocol.experts, recipe.experts);
    assert_eq!(protocol.weights.rule, recipe.rule);
    assert_eq!(recipe.mixture_aware, None);
}

#[test]
fn the_default_recipe_stays_near_the_floor_and_ahead_of_the_baselines_on_average() {
    // What the recipe is held to at n = 1,000, nats; the band: two standard errors over seeds.
    let bars = [
        ("banana", 0.015),
        ("x_shape", 0.010),
        ("bimodal", 0.008),
        ("five_mode", 0.012),
        ("two_moons", 0.035),
        ("rings", 0.085),
    ];
    let records = committed().mixtures;
    let groups = paper::summary::groups(&records);
    let group = |family: &str, n: usize| {
        let found = groups
            .iter()
            .find(|g| g.protocol == "default" && g.family.name() == family && g.n == n);
        found.unwrap_or_else(|| panic!("no records of default, {family}, n = {n}"))
    };
    for (family, bar) in bars {
        let kl = group(family, 1000).mean("mixture", "kl").unwrap();
        assert!(kl.value < bar + 2.0 * kl.error.unwrap(), "{family}: {kl:?}");
    }
    for n in [300, 1000, 5000] {
        let mean = |model: &str| {
            let all = bars.map(|(f, _)| group(f, n).mean(model, "kl").unwrap().value);
            all.iter().sum::<f64>() / 6.0
        };
        for baseline in ["gaussian", "gmm_bic", "kde"] {
            assert!(mean("mixture") < mean(baseline), "{baseline} at n = {n}");
        }
    }
}

#[test]
fn posteriors_are_learnt_from_likelihood_evaluations() {
    // What the mixture on the matched base is held to: measure, bound in the plane, in space; the band: two standard errors over seeds.
    let bars = [
        ("refined", "kl_forward", [0.01, 0.03]),
        ("refined", "mode_error", [0.01, 0.01]),
        ("refined", "bridge_mass", [0.003, 0.003]),
        ("refined", "log_z_error", [0.01, 0.01]),
        ("refined", "k_hat", [0.7, 0.7]),
        ("one_shot", "kl_forward", [0.03, 0.06]),
        ("one_shot", "bridge_mass", [0.01, 0.01]),
    ];
    let results = committed();
    let arms = posterior::summary::arms(&results.posteriors);
    for (protocol, metric, limits) in bars {
        let own: Vec<_> = arms
            .iter()
            .filter(|a| a.protocol == protocol)
            .cloned()
            .collect();
        let benchmarks = posterior::summary::benchmarks(&own);
        assert_eq!(benchmarks.len(), 6);
        for benchmark in benchmarks {
            let matched = posterior::summary::find(&own, benchmark, "matched").unwrap();
            let found = matched.mean("mixture", metric).unwrap();
            let limit = limits[posterior::summary::dim(benchmark) - 2];
            assert!(
                found.value.abs() < limit + 2.0 * found.error.unwrap(),
                "{protocol} {benchmark} {metric}: {found:?}"
            );
        }
    }
    let kl = results
        .amortised
        .iter()
        .filter(|r| r.run.variant == "flows")
        .map(|r| r.get("mixture", "kl_forward").unwrap());
    assert!(kl.clone().count() == 5 && kl.fold(0.0, f64::max) < 0.05);
}

#[test]
fn the_readme_shows_the_committed_numbers() {
    let table = std::fs::read_to_string(home().join("results/tables/gaps_default.md")).unwrap();
    let readme = std::fs::read_to_string(home().join("../README.md")).unwrap();
    let bridges =
        std::fs::read_to_string(home().join("results/tables/bridges_refined.md")).unwrap();
    let bridges: Vec<&str> = bridges
        .lines()
        .filter(|l| l.contains("| mixture |"))
        .collect();
    assert_eq!(bridges.len(), 6);
    for row in bridges {
        // Without the columns of W2.
        let shown = row
            .match_indices(" |")
            .nth(7)
            .map(|(end, _)| &row[..end + 2]);
        let shown = shown.expect("eight columns");
        assert!(readme.contains(shown), "README.md lacks: {shown}");
    }
    let rows: Vec<&str> = table
        .lines()
        .filter(|l| l.starts_with("| 1000 |"))
        .collect();
    assert_eq!(rows.len(), 7);
    for row in rows {
        assert!(readme.contains(row), "README.md lacks: {row}");
    }
}
