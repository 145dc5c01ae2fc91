//! Posteriors learnt from likelihood evaluations against exact ones.
//!
//! `cargo run --release -p posterior --example tuning -- [seeds=101,102] [bench=four_signs,...]
//! [mode=one_shot,annealed] [base=normal,matched,bic]`
//! prints a line for each expert of each fit: processor seconds of the fit, evaluations, effective
//! sample size, components of the base, weight of the expert, both KL divergences (nats), worst
//! error of a mode's mass, bridge mass, error of log Z and Pareto k.

#![allow(missing_docs, reason = "a program: what it prints is described above")]

use amf::experts::Components;
use autodiff::{AdamConfig, Schedule};
use datasets::posterior::{Benchmark, ExactPosterior, SignDegenerate};
use density::{Data, Density, EmConfig, FitContext};
use flows::{Architecture, Batch, FitConfig};
use metrics::{Calibrate, kl_exact};
use numerics::random::stream;
use posterior::{
    AmortisedConfig, AmortisedModel, Compare, Draws, EvidenceDraws, FlowSettings, Frame, Means,
    PosteriorBase, PosteriorConfig, Tails, log_evidence,
};
use std::collections::BTreeMap;
use std::time::Instant;

struct Args(BTreeMap<String, String>);

impl Args {
    fn get(&self, key: &str, default: &str) -> String {
        self.0.get(key).cloned().unwrap_or_else(|| default.into())
    }
    fn list(&self, key: &str, default: &str) -> Vec<String> {
        self.get(key, default)
            .split(',')
            .map(String::from)
            .collect()
    }
    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        self.0
            .get(key)
            .and_then(|v| v.parse().ok())
            .unwrap_or(default)
    }
}

/// Sets the gain of the outputs and the bound of the log-scales, from the command line or to these.
fn set_outputs(architecture: &mut Architecture, args: &Args, gain: f64, bound: f64) {
    let (Architecture::Maf {
        output_gain,
        log_scale,
        ..
    }
    | Architecture::RealNvp {
        output_gain,
        log_scale,
        ..
    }) = architecture;
    *output_gain = args.number("gain", gain);
    log_scale.bound = args.number("bound", bound);
    log_scale.knee = args.number("bound", bound);
}

fn config(args: &Args, benchmark: Benchmark, mode: &str, base: &str) -> PosteriorConfig {
    let d = benchmark.problem().dim();
    let fit = |steps: usize| FitConfig {
        steps,
        batch: Batch::Size(args.number("batch", 500)),
        learning_rate: args.number("lr", 2e-3),
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: (steps / 20).max(1),
        patience: Some(args.number("patience", 10)),
    };
    let steps = args.number("steps", 1000);
    let width: usize = args.number("width", if d == 2 { 64 } else { 32 });
    let layers = args.number("layers", 6);
    let frame = match args.number("turn", 0.5) {
        0.0 => Frame::Given,
        angle => Frame::Turned(angle),
    };
    let tune = |mut s: FlowSettings| {
        s.frame = frame;
        set_outputs(&mut s.architecture, args, 0.0, 1.0);
        s
    };
    let em = EmConfig {
        restarts: args.number("restarts", 2),
        tolerance: args.number("tolerance", 1e-5),
        iterations: args.number("iterations", 100),
        ..EmConfig::default()
    };
    let bic = Components::Bic {
        most: args.number("most", 24),
        patience: 2,
    };
    let total = if d == 2 { 50_000 } else { 200_000 };
    PosteriorConfig {
        draws: if mode == "one_shot" {
            Draws::UntilEss {
                ess: 3000.0,
                most: 1_000_000,
            }
        } else {
            Draws::Annealed(args.number("evaluations", total))
        },
        base: match base {
            "normal" => PosteriorBase::StandardNormal,
            "bic" | "matched" => PosteriorBase::Mixture {
                components: if base == "bic" {
                    bic
                } else {
                    Components::Fixed(benchmark.matched_components())
                },
                means: match args.get("means", "fixed").as_str() {
                    "trained" => Means::Trained,
                    "weights" => Means::TrainedWithWeights,
                    _ => Means::Fixed,
                },
                tails: (args.number("tail", 0.05) > 0.0).then(|| Tails {
                    share: args.number("tail", 0.05),
                    scale: args.number("scale", 1.5),
                }),
                em,
            },
            other => panic!("no base {other}"),
        },
        experts: vec![
            (
                "maf".into(),
                tune(FlowSettings::maf(layers, &[width, width], fit(steps))),
            ),
            (
                "realnvp".into(),
                tune(FlowSettings::realnvp(layers, &[width, width], fit(steps))),
            ),
        ],
        base_as_expert: base != "normal",
        folds: args.number("folds", 5),
        models: args.number("models", 1),
        points_for_each_effective: args.number("thin", 4.0),
        most_points: args.number("points", 50_000),
        base_points: args.number("base_points", 10_000),
        ..PosteriorConfig::quick(1)
    }
}

fn main() {
    let args = Args(
        std::env::args()
            .skip(1)
            .filter_map(|a| a.split_once('=').map(|(k, v)| (k.into(), v.into())))
            .collect(),
    );
    println!(
        "{:13} {:8} {:7} {:4} {:9} {:>6} {:>7} {:>6} {:>2} {:>6} {:>8} {:>7} {:>8} {:>7} {:>7} {:>8} {:>5}",
        "benchmark",
        "mode",
        "base",
        "seed",
        "expert",
        "sec",
        "N",
        "ESS",
        "K",
        "weight",
        "KL",
        "+-",
        "reverse",
        "mode",
        "bridge",
        "log Z",
        "k"
    );
    if args.get("mode", "") == "amortised" {
        return args
            .list("seeds", "101")
            .iter()
            .for_each(|s| amortised(&args, s.parse().unwrap()));
    }
    let names: Vec<String> = Benchmark::ALL
        .iter()
        .map(|b| b.name().to_string())
        .collect();
    for bench in args.list("bench", &names.join(",")) {
        let benchmark: Benchmark = bench.parse().unwrap();
        for mode in args.list("mode", "annealed") {
            for base in args.list("base", "matched") {
                for seed in args.list("seeds", "101") {
                    let config = config(&args, benchmark, &mode, &base);
                    run(
                        &args,
                        benchmark,
                        &config,
                        (&mode, &base),
                        seed.parse().unwrap(),
                    );
                }
            }
        }
    }
}

/// Seconds of all threads of this process, where /proc tells; a busy machine does not change them.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// `q(theta | y)` of the simulator that hides signs: mean KL over unseen observations, ranks,
/// coverage.
fn amortised(args: &Args, seed: u64) {
    let simulator = SignDegenerate {
        dim: args.number("dim", 2),
        sigma: args.number("sigma", 0.25),
    };
    let pairs = |n: usize, label: &str| {
        let theta = simulator.sample_prior(n, &mut stream(seed, &format!("{label}/theta")));
        let y = simulator.simulate(theta.as_ref(), &mut stream(seed, &format!("{label}/y")));
        (theta, y)
    };
    let (theta, y) = pairs(args.number("pairs", 100_000), "train");
    let steps = args.number("steps", 4000);
    let width: usize = args.number("width", 64);
    let layers = args.number("layers", 6);
    let tune = |mut s: FlowSettings| {
        if let angle @ 0.01.. = args.number("turn", 0.785) {
            s.frame = Frame::Turned(angle);
        }
        set_outputs(&mut s.architecture, args, 0.3, 2.0);
        s
    };
    let fit = FitConfig {
        steps,
        batch: Batch::Size(args.number("batch", 500)),
        learning_rate: args.number("lr", 2e-3),
        schedule: Schedule::Cosine { floor: 0.0 },
        adam: AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: (steps / 20).max(1),
        patience: Some(20),
    };
    let (components, em) = (Components::Fixed(1 << simulator.dim), EmConfig::default());
    let model = match args.get("base", "flows").as_str() {
        "normal" => AmortisedModel::Flow(PosteriorBase::StandardNormal),
        "matched" => AmortisedModel::Flow(PosteriorBase::Mixture {
            components,
            means: Means::TrainedWithWeights,
            tails: None,
            em,
        }),
        _ => AmortisedModel::Flows {
            components,
            em,
            rounds: args.number("rounds", 4),
        },
    };
    let config = AmortisedConfig {
        model,
        neighbours: args.number("neighbours", 1000),
        experts: vec![
            (
                "maf".into(),
                tune(FlowSettings::maf(layers, &[width, width], fit.clone())),
            ),
            (
                "realnvp".into(),
                tune(FlowSettings::realnvp(layers, &[width, width], fit)),
            ),
        ],
        validation: 0.05,
        rule: PosteriorConfig::quick(1).rule,
    };
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    let data = Data::new(theta.as_ref()).conditioned(y.as_ref());
    let q = config.fit(data, seed, &FitContext::default()).unwrap();
    let (seconds, cpu) = (clock.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "seed {seed}: {seconds:.1} s, {cpu:.1} s of processors, weights {:?}, nll {:?} {:.4}",
        q.weights().pi,
        q.expert_nll(),
        q.held_out_nll()
    );

    let (_, unseen) = pairs(100, "unseen");
    let row =
        |m: &faer::Mat<f64>, i: usize| (0..m.ncols()).map(|j| m[(i, j)]).collect::<Vec<f64>>();
    for (name, expert) in [("mixture", None), ("maf", Some(0)), ("realnvp", Some(1))] {
        let kl: Vec<f64> = (0..100)
            .map(|i| {
                let y = row(&unseen, i);
                let exact = simulator.posterior(&y);
                let given = expert.map_or_else(|| q.condition(&y), |k| q.condition_expert(k, &y));
                let draws = exact.sample_posterior(2000, &mut stream(seed, &format!("unseen/{i}")));
                kl_exact(
                    &exact.log_posterior(draws.as_ref()),
                    &given.log_prob(draws.as_ref()),
                )
                .value
            })
            .collect();
        let mut sorted = kl.clone();
        sorted.sort_by(f64::total_cmp);
        println!(
            "  {name}: mean KL over 100 unseen {:.4}, median {:.4}, worst {:.4}",
            kl.iter().sum::<f64>() / 100.0,
            sorted[50],
            sorted[99]
        );
    }
    let (truth, data) = pairs(args.number("studies", 1000), "calibration");
    let posterior = |i: usize| -> Box<dyn Density + '_> { Box::new(q.condition(&row(&data, i))) };
    let found = Calibrate::default()
        .run(truth.as_ref(), &posterior, seed)
        .unwrap();
    println!(
        "  ranks: p = {:?}",
        found.ranks.iter().map(|r| r.p_value).collect::<Vec<_>>()
    );
    for c in &found.coverage {
        println!(
            "  coverage of {}: {:.4}, {:.2} standard errors",
            c.nominal,
            c.share,
            c.z_score()
        );
    }
}

fn run(args: &Args, benchmark: Benchmark, config: &PosteriorConfig, what: (&str, &str), seed: u64) {
    let problem = benchmark.problem();
    let (clock, cpu) = (Instant::now(), cpu_seconds());
    let verbose = args.number("verbose", 0) > 0;
    let posterior = config.fit(problem, seed, &FitContext::default()).unwrap();
    if verbose {
        eprintln!("  {:?}", posterior.report());
        eprintln!("  {:.2}s", clock.elapsed().as_secs_f64());
    }
    let seconds = cpu_seconds() - cpu;
    let last = posterior.report();
    let compare = Compare {
        draws: args.number("draws", 200_000),
        w2_draws: 100,
    };
    let mut experts: Vec<(String, f64, &dyn Density)> =
        vec![("mixture".into(), 1.0, posterior.q())];
    if args.number("each", 1) > 0 {
        for (summary, density) in last.experts.iter().zip(posterior.q().experts()) {
            experts.push((summary.name.clone(), summary.weight, density));
        }
    }
    for (name, weight, q) in experts {
        let c = compare.run(problem, q, seed).unwrap();
        let z = log_evidence(
            problem,
            q,
            EvidenceDraws {
                draws: 50_000,
                prior_share: args.number("defensive", 0.0),
            },
            &mut stream(seed, "evidence"),
        )
        .unwrap();
        println!(
            "{:13} {:8} {:7} {seed:4} {name:9} {seconds:6.2} {:7} {:6.0} {:2} {weight:6.3} {:8.4} {:7.4} {:8.4} {:7.4} {:7.4} {:8.4} {:5.2}",
            benchmark.name(),
            what.0,
            what.1,
            last.evaluations,
            last.reliability.ess,
            last.components.unwrap_or(0),
            c.kl.value,
            c.kl.standard_error,
            c.reverse_kl.value,
            c.worst_mode,
            c.bridge_mass.value,
            z.log_evidence - problem.log_evidence(),
            z.pareto_k.unwrap(),
        );
    }
}
