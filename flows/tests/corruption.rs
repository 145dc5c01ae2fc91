//! Damaged and hostile files of flows: refused in one line, or working densities; within bounds of
//! memory and time.

use density::{Affine, Data, Density, EmConfig, FitContext, GaussianMixture};
use faer::Mat;
use flows::{
    Activation, Architecture, Base, Batch, FitConfig, FitError, FitReport, Flow, LogScale, Nets,
};
use numerics::random::{standard_normal, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{CheckpointMemory, CheckpointStore, Event};
use testing::{Trial, accepted, ends_after, loads, must_be_one_line};

const CASES: usize = 100_000;

fn architectures() -> [Architecture; 2] {
    let log_scale = LogScale {
        bound: 1.0,
        knee: 1.0,
    };
    [
        Architecture::Maf {
            layers: 1,
            hidden: vec![3, 2],
            activation: Activation::Relu,
            ordering: flows::Ordering::Random,
            log_scale,
            output_gain: 0.3,
        },
        Architecture::RealNvp {
            couplings: 2,
            hidden: vec![2],
            activation: Activation::Tanh,
            nets: Nets::Separate,
            log_scale,
            output_gain: 0.3,
        },
    ]
}

fn base() -> Base {
    let mut rng = stream(1, "points");
    let x = Mat::from_fn(40, 2, |_, _| standard_normal(&mut rng));
    let start = GaussianMixture::fit(Data::new(x.as_ref()), 2, &EmConfig::default(), &mut rng);
    Base::TrainedGaussianMixture {
        start: start.unwrap(),
        train_weights: true,
    }
}

fn flows() -> Vec<Vec<u8>> {
    let [maf, realnvp] = architectures();
    let flow = |a: &Architecture, d, base| {
        Flow::builder(a, Affine::identity(d))
            .on_base(base)
            .build(&mut stream(1, "init"))
            .unwrap()
    };
    vec![
        flow(&maf, 2, Base::StandardNormal).to_bytes(),
        flow(&realnvp, 2, base()).to_bytes(),
        flow(&maf, 1, Base::StandardNormal).to_bytes(),
    ]
}

fn conditional_flows() -> Vec<Vec<u8>> {
    let [maf, realnvp] = architectures();
    let flow = |a: &Architecture, d, base| {
        let (points, contexts) = (Affine::identity(d), Affine::identity(1));
        Flow::builder(a, points)
            .conditioned(contexts)
            .on_base(base)
            .build(&mut stream(1, "init"))
            .unwrap()
    };
    vec![
        flow(&maf, 2, Base::StandardNormal).to_bytes(),
        flow(&realnvp, 2, base()).to_bytes(),
        flow(&maf, 1, Base::StandardNormal).to_bytes(),
    ]
}

fn must_work(draws: &Mat<f64>, log_prob: &[f64]) {
    for j in 0..draws.ncols() {
        assert!(draws.col(j).iter().all(|v| v.is_finite()));
    }
    assert!(log_prob.iter().all(|l| *l < f64::INFINITY), "{log_prob:?}");
}

fn load(bytes: &[u8]) -> bool {
    accepted(Flow::from_bytes(bytes), |flow| {
        let q = flow.condition(&vec![0.5; flow.context_dim()]);
        let draws = q.sample(3, &mut stream(1, "draws"));
        must_work(&draws, &q.log_prob(draws.as_ref()));
    })
}

#[test]
fn damaged_flows() {
    let trial = Trial {
        sound: &flows(),
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("flows", load);
}

#[test]
fn damaged_conditional_flows() {
    let trial = Trial {
        sound: &conditional_flows(),
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("conditional flows", load);
}

/// A checkpoints on which these bytes lie, whatever is asked for.
struct Planted<'a> {
    bytes: &'a [u8],
    refused: AtomicBool,
}

impl CheckpointStore for Planted<'_> {
    fn pace(&self) -> Option<Duration> {
        Some(Duration::from_secs(1000))
    }

    fn get(&self, _: &str) -> Option<Vec<u8>> {
        Some(self.bytes.to_vec())
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<(), store::Error> {
        Ok(())
    }

    fn remove(&self, _: &str) {}

    fn tell(&self, event: Event<'_>) {
        if let Event::Damaged { reason } = event {
            must_be_one_line(reason);
            self.refused.store(true, Ordering::Relaxed);
        }
    }
}

/// A fit of three steps on some checkpoints; ends after so many.
fn fit(checkpoints: &dyn CheckpointStore, most: usize) -> (Flow, Result<FitReport, FitError>) {
    let [_, realnvp] = architectures();
    let mut rng = stream(1, "points");
    let x = Mat::from_fn(8, 2, |_, _| standard_normal(&mut rng));
    let mut flow = Flow::builder(&realnvp, Affine::identity(2))
        .build(&mut stream(1, "init"))
        .unwrap();
    let config = FitConfig {
        steps: 3,
        batch: Batch::Size(4),
        learning_rate: 1e-2,
        schedule: autodiff::Schedule::Constant,
        adam: autodiff::AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: 1,
        patience: None,
    };
    let observer = ends_after(most - 1);
    let context = FitContext::default().observed_by(&observer);
    let (rng, data) = (&mut stream(1, "batches"), Data::new(x.as_ref()));
    let context = context.checkpointed_in(checkpoints);
    let report = flow.fit(data, None, &config, rng, &context);
    (flow, report)
}

#[test]
fn damaged_checkpoints() {
    // Of a fit that was ended after two steps, and of one that is done.
    let sound: Vec<Vec<u8>> = [2, 4]
        .into_iter()
        .flat_map(|most| {
            let checkpoints = CheckpointMemory::default();
            fit(&checkpoints, most).1.unwrap();
            checkpoints.kept().into_values()
        })
        .collect();
    assert_eq!(sound.len(), 2);
    let load = |bytes: &[u8]| {
        let checkpoints = Planted {
            bytes,
            refused: AtomicBool::new(false),
        };
        let (flow, report) = fit(&checkpoints, 4);
        // A state that fits together may still diverge, which is refused in one line.
        accepted(report, |report| assert!(report.steps <= 3));
        assert!(flow.params().iter().all(|p| p.is_finite()));
        !checkpoints.refused.into_inner()
    };
    let trial = Trial {
        sound: &sound,
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("checkpoints", load);
}

/// A file with another header, whose size in front is mended.
fn with_header(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&file[8..8 + size]).unwrap();
    assert!(header.contains(from), "{header}");
    let header = header.replace(from, to);
    let new_size = (header.len() as u64).to_le_bytes();
    [&new_size[..], header.as_bytes(), &file[8 + size..]].concat()
}

#[test]
fn widths_are_held_against_the_numbers_in_the_file() {
    let refusal = |bytes: &[u8]| {
        assert!(!loads(bytes, load));
        Flow::from_bytes(bytes).unwrap_err()
    };
    let (flows, conditional) = (flows(), conditional_flows());
    let hidden = |widths: &str| format!(r#"hidden\":{widths}"#);
    for widths in ["[1000000,1000000]", "[18446744073709551615,2]", "[0]", "[]"] {
        let file = with_header(&flows[0], r#"hidden\":[3,2]"#, &hidden(widths));
        assert!(
            refusal(&file).contains("need more numbers"),
            "{}",
            refusal(&file)
        );
        let file = with_header(&conditional[2], r#"hidden\":[3,2]"#, &hidden(widths));
        assert!(!loads(&file, load));
    }
    let many = vec!["1"; 100_000].join(",");
    assert!(
        refusal(&with_header(
            &flows[1],
            r#"hidden\":[2]"#,
            &hidden(&format!("[{many}]"))
        ))
        .contains("need more")
    );
}

#[test]
fn numbers_beyond_the_arithmetic_are_refused_though_each_is_finite() {
    let mut file = flows()[0].clone();
    let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    for number in file[8 + size..].chunks_exact_mut(8).take(20) {
        number.copy_from_slice(&(1e140f64).to_le_bytes());
    }
    let reason = Flow::from_bytes(&file).unwrap_err();
    assert!(reason.contains("damaged numbers"), "{reason}");
}

#[test]
fn counts_of_a_checkpoint_are_held_against_its_steps() {
    let checkpoints = CheckpointMemory::default();
    let _ = fit(&checkpoints, 2);
    let kept = checkpoints.kept();
    let (_, sound) = kept.iter().next().unwrap();
    for count in ["stale:", "losses:", "beyond:"] {
        let from = format!("{count}0");
        let text = String::from_utf8_lossy(sound);
        let from = if text.contains(&from) {
            from
        } else {
            format!("{count}1")
        };
        let file = with_header(sound, &from, &format!("{count}4294967295"));
        let checkpoints = Planted {
            bytes: &file,
            refused: AtomicBool::new(false),
        };
        assert!(fit(&checkpoints, 4).1.is_ok());
        assert!(checkpoints.refused.into_inner(), "{count}");
    }
}

/// The numbers of one array of a file, changed.
fn with_numbers(file: &[u8], array: &str, change: impl Fn(usize) -> Option<f64>) -> Vec<u8> {
    let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let tensors = safetensors::SafeTensors::deserialize(file).unwrap();
    let data = tensors.tensor(array).unwrap().data();
    let start = data.as_ptr().addr() - file.as_ptr().addr();
    assert!(start >= 8 + size);
    let mut file = file.to_vec();
    for (i, number) in file[start..start + data.len()]
        .chunks_exact_mut(8)
        .enumerate()
    {
        if let Some(v) = change(i) {
            number.copy_from_slice(&v.to_le_bytes());
        }
    }
    file
}

/// Found by fuzzing: contexts are standardised by 1e-143, so that those about zero come out near
/// 1e143, and a weight of 1e150 meets them.
#[test]
fn a_conditional_flow_must_work_about_contexts_of_zero() {
    let mut refused = 0;
    for file in conditional_flows() {
        let file = with_numbers(&file, "context_scale", |_| Some(5e-143));
        let file = with_numbers(&file, "context_shift", |_| Some(7e-67));
        let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
        // What was trained; the `weights` that a base started from must stay on the simplex.
        let trained = |n: &&str| n.contains("weight_") || n.ends_with("log_weights");
        let names = tensors.names().into_iter().filter(trained);
        let names: Vec<String> = names.map(str::to_owned).collect();
        assert!(!names.is_empty());
        let large = |file: Vec<u8>, name: &String| {
            with_numbers(&file, name, |i| (i % 2 == 1).then_some(1e150))
        };
        let file = names.iter().fold(file.clone(), large);
        // Units that saturate may take such weights; what is accepted must work.
        match Flow::from_bytes(&file) {
            Err(reason) => {
                assert!(reason.contains("damaged numbers"), "{reason}");
                refused += 1;
            }
            Ok(flow) => {
                let q = flow.condition(&[0.0]);
                let draws = q.sample(3, &mut stream(1, "draws"));
                must_work(&draws, &q.log_prob(draws.as_ref()));
            }
        }
    }
    assert!(refused > 0);
}
