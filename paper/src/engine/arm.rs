//! Records that differ only in the seed.

use super::experiment::{Experiment, Record, RunName};
use super::mean::Mean;

/// The records of one protocol, target, arm and number of draws: one for each seed.
#[derive(Debug)]
pub struct Arm<'a, R> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// How much data each run got.
    pub n: usize,
    /// In the order of their seeds.
    pub records: Vec<&'a R>,
    target: String,
    arm: String,
}

// Derived, it would require `R: Clone`.
impl<R> Clone for Arm<'_, R> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol,
            n: self.n,
            records: self.records.clone(),
            target: self.target.clone(),
            arm: self.arm.clone(),
        }
    }
}

impl<'a, R: Record> Arm<'a, R> {
    /// Groups records, in their order.
    #[must_use]
    pub fn all(records: &'a [R]) -> Vec<Self> {
        let mut arms: Vec<Self> = Vec::new();
        for r in records {
            let RunName {
                protocol,
                target,
                arm,
                n,
                ..
            } = r.run().name();
            let same = |a: &&mut Self| {
                (a.protocol, &a.target, &a.arm, a.n) == (protocol, &target, &arm, n)
            };
            match arms.iter_mut().find(same) {
                Some(found) => found.records.push(r),
                None => arms.push(Self {
                    protocol,
                    n,
                    records: vec![r],
                    target,
                    arm,
                }),
            }
        }
        arms
    }

    /// The run of the first seed.
    #[must_use]
    pub fn run(&self) -> &'a R::Run {
        self.records[0].run()
    }

    /// A measure, seed by seed.
    #[must_use]
    pub fn values(&self, model: &str, metric: &str) -> Vec<f64> {
        let records = self.records.iter();
        records.filter_map(|r| r.get(model, metric)).collect()
    }

    /// Its mean over the seeds.
    #[must_use]
    pub fn mean(&self, model: &str, metric: &str) -> Option<Mean> {
        Mean::of(&self.values(model, metric))
    }

    /// The mean over the seeds of its absolute value.
    #[must_use]
    pub fn mean_size(&self, model: &str, metric: &str) -> Option<Mean> {
        let sizes: Vec<f64> = self.values(model, metric).iter().map(|v| v.abs()).collect();
        Mean::of(&sizes)
    }
}

/// "seed 1", or a description of the numbers over several seeds.
#[must_use]
pub fn seeds<R: Record>(arms: &[Arm<'_, R>]) -> String {
    let records = &arms[0].records;
    match records.len() {
        1 => format!("seed {}", records[0].run().name().seed),
        n => format!("mean ± standard error over {n} seeds"),
    }
}
