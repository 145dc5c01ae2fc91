//! The committed results: complete, consistent with the configs, and rendered as the configs say.

use crate::{files, home};
use paper::engine::Record;
use paper::engine::arm::Arm;
use paper::engine::catalogue::Catalogue;
use paper::engine::metrics_csv;
use paper::engine::protocol_file;
use paper::engine::record::read_all;
use paper::engine::results::Results;
use paper::experiments::KINDS;
use paper::experiments::amortised::AmortisedRun;
use paper::experiments::mixture::{MixtureRecord, MixtureRun, MixtureStudy};
use paper::experiments::posterior::PosteriorRun;
use paper::experiments::posterior::arms::{benchmarks, dim, find};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn committed() -> Results {
    Results::read(KINDS, &home().join("results")).unwrap()
}

fn mixtures() -> Vec<MixtureRecord> {
    read_all::<MixtureRun>(&home().join("results")).unwrap()
}

#[test]
fn every_run_of_the_configs_has_its_record_and_no_other_is_there() {
    let results = home().join("results");
    let catalogue = Catalogue::read(KINDS, &home().join("configs")).unwrap();
    for job in catalogue.jobs() {
        // By the hash of the run.
        let warn = |reason: String| panic!("{reason}");
        let stem = &job.stem;
        assert!(
            job.is_done(&results, &warn),
            "no record of {stem}: run ./reproduce.sh --update"
        );
    }
    let wanted: BTreeSet<String> = catalogue.jobs().iter().map(|j| j.stem.clone()).collect();
    let committed = committed();
    assert!(committed.found().all(|f| f.valid));
    let found: BTreeSet<String> = committed.found().map(|f| f.stem.clone()).collect();
    assert!(wanted.len() > 400);
    assert_eq!(wanted, found);
}

#[test]
fn metrics_csv_holds_the_records_and_nothing_else() {
    let rows = metrics_csv::read(&home().join("results/metrics.csv")).unwrap();
    assert_eq!(rows, committed().rows());
    assert!(rows.iter().all(|r| r.value.is_finite()));
}

#[test]
fn tables_and_report_are_rendered_as_committed() {
    let (results, again) = (home().join("results"), tempfile::tempdir().unwrap());
    let presentations = Catalogue::read(KINDS, &home().join("configs"))
        .unwrap()
        .presentations();
    committed()
        .write(&presentations, &results, again.path())
        .unwrap();
    let text = |file: String| std::fs::read_to_string(file).unwrap();
    let tables = files(&again.path().join("tables"));
    assert_eq!(tables, files(&results.join("tables")));
    assert_eq!(
        files(&again.path().join("figures")),
        files(&results.join("figures"))
    );
    let tables = tables.iter().map(|t| format!("tables/{t}"));
    for file in tables.chain(["REPORT.md".to_owned()]) {
        let at = |folder: &std::path::Path| text(folder.join(&file).display().to_string());
        assert!(
            at(&results) == at(again.path()),
            "{file} is stale: run `paper report paper/results`"
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
    let records = mixtures();
    let groups = Arm::all(&records);
    for (family, bar) in published {
        let g = groups
            .iter()
            .find(|g| g.protocol == "held_out" && g.family().name() == family)
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
    let protocol =
        protocol_file::read::<MixtureStudy>(&home().join("configs/default.ron")).unwrap();
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
    let records = mixtures();
    let groups = Arm::all(&records);
    let group = |family: &str, n: usize| {
        let found = groups
            .iter()
            .find(|g| g.protocol == "default" && g.family().name() == family && g.n == n);
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
        ("annealed", "kl_forward", [0.01, 0.03]),
        ("annealed", "mode_error", [0.01, 0.01]),
        ("annealed", "bridge_mass", [0.003, 0.003]),
        ("annealed", "log_z_error", [0.01, 0.01]),
        ("annealed", "k_hat", [0.7, 0.7]),
        ("one_shot", "kl_forward", [0.03, 0.06]),
        ("one_shot", "bridge_mass", [0.01, 0.01]),
    ];
    let records = read_all::<PosteriorRun>(&home().join("results")).unwrap();
    let arms = Arm::all(&records);
    for (protocol, metric, limits) in bars {
        let own: Vec<_> = arms
            .iter()
            .filter(|a| a.protocol == protocol)
            .cloned()
            .collect();
        let benchmarks = benchmarks(&own);
        assert_eq!(benchmarks.len(), 6);
        for benchmark in benchmarks {
            let matched = find(&own, benchmark, "matched").unwrap();
            let found = matched.mean("mixture", metric).unwrap();
            let limit = limits[dim(benchmark) - 2];
            assert!(
                found.value.abs() < limit + 2.0 * found.error.unwrap(),
                "{protocol} {benchmark} {metric}: {found:?}"
            );
        }
    }
    let records = read_all::<AmortisedRun>(&home().join("results")).unwrap();
    let kl = records
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
        std::fs::read_to_string(home().join("results/tables/bridges_annealed.md")).unwrap();
    let bridges: Vec<&str> = bridges
        .lines()
        .filter(|l| l.contains("| mixture |"))
        .collect();
    assert_eq!(bridges.len(), 12);
    for row in bridges {
        // Without the columns of W2.
        let shown = row
            .match_indices(" |")
            .nth(8)
            .map(|(end, _)| &row[..end + 2]);
        let shown = shown.expect("nine columns");
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
