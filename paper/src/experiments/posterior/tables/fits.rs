//! Every model of a protocol: divergences, masses, weights, evidence, time.

use super::super::arms::Arm;
use crate::engine::arm::seeds;
use crate::engine::mean::Mean;
use crate::engine::metric::Seconds;
use crate::engine::table::{Cell, Table, capital, header};

fn start(arm: &Arm<'_>, model: &str) -> Vec<Cell> {
    vec![
        arm.benchmark().name().into(),
        arm.base().into(),
        model.into(),
    ]
}

/// Every measure of every model.
pub fn fits(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        for model in arm.models() {
            let mean = |metric: &str, d: usize| Cell::mean(arm.mean(model, metric), d);
            let mut row = start(arm, model);
            row.extend([
                mean("kl_forward", 4),
                mean("kl_backward", 4),
                mean("w2", 3),
                mean("sliced_w2", 4),
                mean("mode_error", 4),
                mean("bridge_mass", 4),
                mean("k_hat", 2),
                mean("evaluations", 0),
                mean("ess", 0),
                mean("components", 1),
            ]);
            rows.push(row);
        }
    }
    let measures = arms[0].run().measures;
    let compare = measures.compare;
    Table {
        stem: format!("posterior_{protocol}"),
        title: format!("Posteriors, protocol {protocol}"),
        caption: format!(
            "{}. Forward KL is KL(posterior || q) at {} exact draws, backward KL(q || posterior) at as many of q; W2 between {} draws \
             of each and sliced W2 between {}, both with a floor that finite samples leave; mode error, the largest difference of a \
             mode's mass from the truth; bridges, q's mass outside the posterior's 99.9 % region (0.001 for the posterior itself); \
             k-hat of the importance weights of q's draws; N evaluations, their effective sample size, and the components of the \
             base, for the mixture of all experts.",
            capital(&seeds(arms)),
            compare.draws,
            compare.w2_draws,
            measures.sliced_draws
        ),
        header: header([
            "benchmark",
            "base",
            "model",
            "KL forward",
            "KL backward",
            "W2",
            "sliced W2",
            "mode error",
            "bridges",
            "k-hat",
            "N",
            "ESS",
            "components",
        ]),
        rows,
    }
}

/// Weights of the experts.
pub fn weights(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut experts: Vec<&str> = Vec::new();
    for model in arms
        .iter()
        .flat_map(Arm::models)
        .filter(|m| *m != "mixture")
    {
        if !experts.contains(&model) {
            experts.push(model);
        }
    }
    let row = |arm: &Arm<'_>| {
        let mut row = vec![arm.benchmark().name().into(), arm.base().into()];
        let weight = |e: &&str| Cell::mean(arm.mean(e, "weight"), 3);
        row.extend(experts.iter().map(weight));
        row
    };
    let mut names = header(["benchmark", "base"]);
    names.extend(experts.iter().map(|e| format!("weight {e}")));
    Table {
        stem: format!("posterior_weights_{protocol}"),
        title: format!("Mixture weights, protocol {protocol}"),
        caption: format!(
            "Weights of the experts, by stacking on held-out evaluations with their importance weights; {}. The expert base is the \
             Gaussian mixture itself.",
            seeds(arms)
        ),
        header: names,
        rows: arms.iter().map(row).collect(),
    }
}

/// The evidence by importance sampling from each model, and by the evaluations themselves.
pub fn evidence(protocol: &str, arms: &[Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let exact = arm.records[0].log_evidence;
        for model in arm.flows() {
            let mut row = start(arm, model);
            row.extend([
                Cell::plain(exact, 4),
                Cell::mean(arm.mean(model, "log_z_error"), 4),
                Cell::mean(arm.mean_size(model, "log_z_error"), 4),
                Cell::mean(arm.mean(model, "log_z_se").map(Mean::without_error), 4),
                Cell::mean(arm.mean(model, "k_hat"), 2),
                Cell::mean(arm.mean(model, "log_z_error_evaluations"), 4),
                Cell::mean(arm.mean(model, "k_hat_evaluations"), 2),
            ]);
            rows.push(row);
        }
    }
    Table {
        stem: format!("evidence_{protocol}"),
        title: format!("Evidence, protocol {protocol}"),
        caption: format!(
            "ln Z by importance sampling with {} draws: estimate minus exact value, nats; {}; its size; the standard error that a run \
             gives itself; k-hat of the weights. The last columns: the same from the evaluations that the fit has made anyway.",
            arms[0].run().measures.evidence.draws,
            seeds(arms)
        ),
        header: header([
            "benchmark",
            "base",
            "model",
            "ln Z",
            "error",
            "size of the error",
            "own standard error",
            "k-hat",
            "error of the evaluations",
            "k-hat of the evaluations",
        ]),
        rows,
    }
}

/// Seconds.
pub fn times(arms: &[&Arm<'_>]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let seconds = arm.records.iter().map(|r| r.seconds);
        let of = |f: &dyn Fn(Seconds) -> f64| {
            let values: Vec<f64> = seconds.clone().map(f).collect();
            Cell::mean(Mean::of(&values).map(Mean::without_error), 2)
        };
        rows.push(vec![
            arm.protocol.into(),
            arm.benchmark().name().into(),
            Cell::Text(arm.run().arm()),
            Cell::Text(arm.n.to_string()),
            of(&|s| s.fit),
            of(&|s| s.evaluation),
        ]);
    }
    let p = &arms[0].records[0].provenance;
    Table {
        stem: "posterior_times".into(),
        title: "Time of each fit".into(),
        caption: format!(
            "Wall-clock seconds of one run, mean over its seeds, on an {} with {} thread(s) for each run while other runs kept the \
             other cores busy. They differ from machine to machine.",
            p.cpu, p.threads
        ),
        header: header([
            "protocol",
            "benchmark",
            "base",
            "N at most",
            "fit",
            "evaluation",
        ]),
        rows,
    }
}
