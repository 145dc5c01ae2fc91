//! Tables of cross-fitted protocols: the recipe against baselines, its own experts, published
//! numbers and its ablations.

use super::super::ablation::Ablation;
use super::super::arms::{Group, best_expert, main_size, over_families, sizes};
use super::super::published::Published;
use crate::engine::arm::seeds;
use crate::engine::mean::Mean;
use crate::engine::table::{Cell, Table, header};

fn start(g: &Group<'_>) -> Vec<Cell> {
    vec![Cell::Text(g.n.to_string()), g.family().name().into()]
}

/// Mixture and baselines, with the mean over the families for each size.
pub fn gaps(protocol: &str, groups: &[Group<'_>]) -> Table {
    let baselines: Vec<&str> = groups[0].baselines().collect();
    let mut header = header(["n", "family", "entropy H", "NLL − H", "KL mixture"]);
    header.extend(baselines.iter().map(|b| format!("KL {b}")));
    let mut rows = Vec::new();
    for n in sizes(groups) {
        let of_size: Vec<&Group<'_>> = groups.iter().filter(|g| g.n == n).collect();
        for g in &of_size {
            let mut row = start(g);
            row.push(Cell::plain(g.entropy(), 3));
            row.push(Cell::mean(g.gap("mixture"), 4));
            row.push(Cell::mean(g.mean("mixture", "kl"), 4));
            row.extend(baselines.iter().map(|b| Cell::mean(g.mean(b, "kl"), 4)));
            rows.push(row);
        }
        let mean = |f: &dyn Fn(&Group<'_>) -> Option<Mean>| {
            let means: Vec<Mean> = of_size.iter().filter_map(|g| f(g)).collect();
            Cell::mean(over_families(&means), 4)
        };
        let mut row = vec![Cell::Text(n.to_string()), "mean".into(), Cell::Empty];
        row.push(mean(&|g| g.gap("mixture")));
        row.push(mean(&|g| g.mean("mixture", "kl")));
        row.extend(baselines.iter().map(|b| mean(&|g| g.mean(b, "kl"))));
        rows.push(row);
    }
    let run = groups[0].run();
    Table {
        stem: format!("gaps_{protocol}"),
        title: "How far from the true density".into(),
        caption: format!(
            "n draws a fit in all; {} test draws; {}. NLL − H and KL (the mean of log p − log q over the test draws) estimate the \
             same divergence; KL does so with less noise. Baselines have all n draws to themselves.",
            run.draws.test,
            seeds(groups)
        ),
        header,
        rows,
    }
}

/// The one of these models with the smallest mean KL.
fn best<'a>(g: &Group<'a>, models: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let all = models.filter_map(|m| Some((m, g.mean(m, "kl")?.value)));
    all.min_by(|a, b| a.1.total_cmp(&b.1)).map(|b| b.0)
}

/// The mixture minus the best baseline, the best expert, and hindsight, seed by seed.
pub fn checks(protocol: &str, groups: &[Group<'_>]) -> Table {
    let against = |g: &Group<'_>, model: Option<&str>| {
        let Some(model) = model else {
            return [Cell::Empty, Cell::Empty];
        };
        let difference = g.difference("mixture", model, "kl");
        [model.into(), Cell::mean(difference, 4)]
    };
    let mut rows = Vec::new();
    for g in groups {
        let mut row = start(g);
        row.extend(against(g, best(g, g.baselines())));
        row.extend(against(g, best_expert(g, "kl").map(|b| b.0)));
        let ablations = &g.run().ablations;
        let hindsight = ablations.iter().find(|a| a.what == Ablation::Hindsight);
        let name = hindsight.map(|a| a.name.as_str());
        let [_, difference] = against(g, name);
        row.push(difference);
        rows.push(row);
    }
    Table {
        stem: format!("checks_{protocol}"),
        title: "The mixture against the best of the others".into(),
        caption: "KL of the mixture minus KL of the other on the same test draws, nats, mean ± standard error of the difference over \
                  seeds; negative: the mixture is better. Best baseline and best expert are those with the smallest mean KL; the \
                  experts are averages over the same cross-fitted models. Hindsight: the weights that are best on the test draws, \
                  which no fit can know."
            .into(),
        header: header([
            "n",
            "family",
            "best baseline",
            "mixture − baseline",
            "best expert",
            "mixture − expert",
            "mixture − hindsight",
        ]),
        rows,
    }
}

/// KL of every expert.
pub fn experts(protocol: &str, groups: &[Group<'_>]) -> Table {
    let models = groups[0].models();
    let mut header = header(["n", "family"]);
    header.extend(models.iter().map(|m| (*m).to_owned()));
    let row = |g: &Group<'_>| {
        let mut row = start(g);
        row.extend(models.iter().map(|m| Cell::mean(g.mean(m, "kl"), 4)));
        row
    };
    Table {
        stem: format!("experts_{protocol}"),
        title: "The experts".into(),
        caption: "KL in nats of the mixture and of each expert, an expert being the average of its cross-fitted models.".into(),
        header,
        rows: groups.iter().map(row).collect(),
    }
}

/// W2 and MMD beside the published mixture's and beside what exact draws give.
pub fn sampled(protocol: &str, groups: &[Group<'_>]) -> Table {
    let published = Published::load();
    let mut rows = Vec::new();
    for g in groups {
        let theirs = published
            .family(g.family())
            .and_then(|f| f.models.get("mixture"));
        let mut row = vec![g.family().name().into()];
        for (metric, theirs) in [
            ("w2", theirs.map(|t| t.w2)),
            ("mmd_unbiased", theirs.map(|t| t.mmd_unbiased)),
        ] {
            let ours = g.mean("mixture", metric);
            row.push(theirs.map_or(Cell::Empty, |v| Cell::plain(v, 3)));
            row.push(Cell::mean(ours, 4));
            row.push(Cell::mean(g.mean("target", metric), 4));
            row.push(match (ours, theirs) {
                (Some(ours), Some(theirs)) if ours.value <= theirs => "yes".into(),
                (Some(_), Some(_)) => "no".into(),
                _ => Cell::Empty,
            });
        }
        rows.push(row);
    }
    let run = groups[0].run();
    Table {
        stem: format!("sampled_{protocol}"),
        title: "Distances between samples".into(),
        caption: format!(
            "n = {}; {} test points against {} sets of as many model draws, {}. Published: the mixture of the authors' results file \
             (one seed). Exact draws: fresh draws of the target in the place of model draws, the floor that finite samples leave.",
            groups[0].n,
            run.evaluation.samples,
            run.evaluation.sets,
            seeds(groups)
        ),
        header: header([
            "family",
            "W2 published",
            "W2 here",
            "W2 exact draws",
            "W2 at most published",
            "MMD published",
            "MMD here",
            "MMD exact draws",
            "MMD at most published",
        ]),
        rows,
    }
}

/// What each ingredient contributes.
pub fn ablations(protocol: &str, groups: &[Group<'_>]) -> Table {
    let main = main_size(groups);
    let others: Vec<usize> = sizes(groups)
        .into_iter()
        .filter(|n| *n != main[0].n)
        .collect();
    let mut header = vec!["change".to_owned()];
    header.extend(main.iter().map(|g| g.family().name().to_owned()));
    header.push("mean".into());
    header.extend(others.iter().map(|n| format!("mean at n = {n}")));
    let mut rows = Vec::new();
    for a in &groups[0].run().ablations {
        let change = |g: &Group<'_>| g.difference(&a.name, "mixture", "kl");
        let mean = |n: usize| {
            let of_size = groups.iter().filter(|g| g.n == n);
            Cell::mean(
                over_families(&of_size.filter_map(change).collect::<Vec<_>>()),
                4,
            )
        };
        let mut row = vec![a.name.as_str().into()];
        row.extend(main.iter().map(|g| Cell::mean(change(g), 4)));
        row.push(mean(main[0].n));
        row.extend(others.iter().map(|&n| mean(n)));
        rows.push(row);
    }
    Table {
        stem: format!("ablations_{protocol}"),
        title: "What each ingredient contributes".into(),
        caption: format!(
            "KL after the change minus KL of the full recipe, nats, at n = {} unless said; {}. Positive: the ingredient helps.",
            main[0].n,
            seeds(groups)
        ),
        header,
        rows,
    }
}
