//! A small fit that begins from a checkpoint.

use numerics::random::{standard_normal, stream};
use faer::Mat;
use flows::{Activation, Architecture, Batch, FitConfig, FitError, FitReport, Flow, LogScale, Nets};
use density::{Affine, Data, FitContext, Progress};
use std::ops::ControlFlow;
use std::time::Duration;
use store::{Event, CheckpointStore};

/// A checkpoint store that holds these bytes, whatever is asked for.
pub struct Planted<'a>(pub &'a [u8]);

impl CheckpointStore for Planted<'_> {
    fn pace(&self) -> Option<Duration> {
        Some(Duration::from_secs(1000))
    }

    fn get(&self, _: &str) -> Option<Vec<u8>> {
        Some(self.0.to_vec())
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<(), store::Error> {
        Ok(())
    }

    fn remove(&self, _: &str) {}

    fn tell(&self, event: Event<'_>) {
        if let Event::Damaged { reason } = event {
            crate::must_be_one_line(&reason);
        }
    }
}

/// A fit of four steps to eight points, with checkpoints; it is ended after `most` steps.
///
/// # Panics
/// Never: the settings are sound.
pub fn fit(checkpoints: &dyn CheckpointStore, most: usize) -> (Flow, Result<FitReport, FitError>) {
    let architecture = Architecture::RealNvp {
        couplings: 2,
        hidden: vec![2],
        activation: Activation::Tanh,
        nets: Nets::Separate,
        log_scale: LogScale {
            bound: 1.0,
            knee: 1.0,
        },
        output_gain: 0.3,
    };
    let mut rng = stream(1, "points");
    let x = Mat::from_fn(8, 2, |_, _| standard_normal(&mut rng));
    let own = Affine::identity(2);
    let flow = Flow::builder(&architecture, own).build(&mut stream(1, "init"));
    let mut flow = flow.expect("sound settings");
    let config = FitConfig {
        steps: 4,
        batch: Batch::Size(4),
        learning_rate: 1e-2,
        schedule: autodiff::Schedule::Constant,
        adam: autodiff::AdamConfig::default(),
        clip_norm: Some(5.0),
        evaluate_every: 1,
        patience: Some(2),
    };
    let observer = |p: &Progress<'_>| {
        if p.step < most {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let context = FitContext::default().observed_by(&observer);
    let context = context.checkpointed_in(checkpoints);
    let rng = &mut stream(1, "batches");
    let (train, valid) = x.split_at_row(5);
    let (train, valid) = (Data::new(train), Some(Data::new(valid)));
    let report = flow.fit(train, valid, &config, rng, &context);
    (flow, report)
}
