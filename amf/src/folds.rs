//! Folds: the points held out from each model.

use numerics::random::{permutation, stream};
use serde::{Deserialize, Serialize};

/// Repeated K-fold partition of the points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepeatedKFold {
    /// Number K of folds, at least 2.
    pub folds: usize,
    /// Independent partitions into folds. With more than one, each point's out-of-fold density is
    /// an average over this many models, and so is closer to the final expert, which averages all
    /// models.
    #[serde(deserialize_with = "numerics::checked::at_least_one")]
    pub repeats: usize,
    /// Share of each fold's complement that stops training early.
    #[serde(deserialize_with = "numerics::checked::share")]
    pub validation: f64,
    /// Data sets of more points are partitioned once: averaging gains less there, and the time is
    /// better spent on the fits.
    pub repeats_up_to: usize,
    /// Data sets of more points are split once, 1 / K of them held out, instead of fitting on every
    /// complement. At most 200,000 then train, 4,000 stop training, and 20,000 are held out.
    pub folds_up_to: usize,
}

/// Most training points of a single split: more would gain little, and time and memory stay
/// bounded.
const MOST_TRAINED: usize = 200_000;
/// The same for points that stop training early.
const MOST_STOPPING: usize = 4_000;
/// The same for held-out points.
const MOST_HELD_OUT: usize = 20_000;

/// Which points one model sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows that the model may see, in random order.
    pub inside: Vec<usize>,
    /// The first this many of them stop training early.
    pub validation: usize,
    /// Rows that it never sees.
    pub held_out: Vec<usize>,
}

impl RepeatedKFold {
    /// Checks the settings.
    ///
    /// # Errors
    /// A message that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.folds < 2 {
            return Err(format!("folds must be at least 2, not {}", self.folds));
        }
        if self.repeats == 0 {
            return Err("repeats must be at least 1, not 0".into());
        }
        if !(0.0..1.0).contains(&self.validation) {
            return Err(format!(
                "validation must be at least 0 and below 1, not {}",
                self.validation
            ));
        }
        Ok(())
    }

    /// How many models of each expert there are for n points.
    #[must_use]
    pub fn models(&self, n: usize) -> usize {
        if n > self.folds_up_to {
            1
        } else if n > self.repeats_up_to {
            self.folds
        } else {
            self.folds * self.repeats
        }
    }

    /// The folds for n points, those of all repeats. Points of one block are never split, where blocks
    /// are given (a number for each point): they depend on each other.
    ///
    /// # Errors
    /// Fewer than four points for each fold, or fewer blocks than folds.
    pub fn folds(
        &self,
        n: usize,
        blocks: Option<&[usize]>,
        seed: u64,
    ) -> Result<Vec<Fold>, String> {
        let folds = self.folds;
        if n < 4 * folds {
            return Err(format!(
                "{n} rows are too few for {folds} folds: each needs four"
            ));
        }
        let blocks = blocks.map(members);
        if let Some(b) = blocks.as_ref().filter(|b| b.len() < folds) {
            let blocks = b.len();
            return Err(format!(
                "{blocks} blocks of rows are too few for {folds} folds"
            ));
        }
        let part = |p: usize| {
            let (repeat, fold) = (p / folds, p % folds);
            let rng = &mut stream(seed, &format!("folds/{repeat}"));
            let order = permutation(rng, blocks.as_ref().map_or(n, Vec::len));
            let of = |held: bool| -> Vec<usize> {
                let dealt = order.iter().enumerate();
                let own = dealt.filter(|(i, _)| (i % folds == fold) == held);
                match &blocks {
                    None => own.map(|(_, &row)| row).collect(),
                    Some(blocks) => own.flat_map(|(_, &b)| blocks[b].iter().copied()).collect(),
                }
            };
            let (mut held_out, mut inside) = (of(true), of(false));
            let mut validation = (inside.len() as f64 * self.validation).ceil() as usize;
            if n > self.folds_up_to {
                validation = validation.min(MOST_STOPPING);
                inside.truncate(MOST_TRAINED + validation);
                held_out.truncate(MOST_HELD_OUT);
            }
            Fold {
                validation: validation.clamp(1, inside.len() - 1),
                inside,
                held_out,
            }
        };
        Ok((0..self.models(n)).map(part).collect())
    }
}

/// The rows of each block, blocks by number.
fn members(blocks: &[usize]) -> Vec<Vec<usize>> {
    let mut found: std::collections::BTreeMap<usize, Vec<usize>> =
        std::collections::BTreeMap::new();
    for (row, block) in blocks.iter().enumerate() {
        found.entry(*block).or_default().push(row);
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_block_stay_together() {
        let partition = RepeatedKFold {
            folds: 5,
            repeats: 2,
            validation: 0.1,
            repeats_up_to: 1000,
            folds_up_to: 1000,
        };
        let blocks: Vec<usize> = (0..300).map(|i| i / 12).collect();
        let parts = partition.folds(300, Some(&blocks), 1).unwrap();
        assert_eq!(parts.len(), 10);
        for p in &parts {
            assert_eq!((p.held_out.len(), p.inside.len()), (60, 240));
            let held: Vec<usize> = p.held_out.iter().map(|&i| blocks[i]).collect();
            assert!(p.inside.iter().all(|&i| !held.contains(&blocks[i])));
        }
        let four: Vec<usize> = (0..300).map(|i| i / 75).collect();
        let few = partition.folds(300, Some(&four), 1).unwrap_err();
        assert!(few.contains("4 blocks"), "{few}");
    }

    #[test]
    fn each_repeat_holds_every_point_out_once_and_no_model_sees_what_it_holds_out() {
        let partition = RepeatedKFold {
            folds: 5,
            repeats: 3,
            validation: 0.125,
            repeats_up_to: 100,
            folds_up_to: 200,
        };
        for (n, models) in [(97, 15), (150, 5), (201, 1)] {
            let parts = partition.folds(n, None, 4).unwrap();
            assert_eq!((parts.len(), partition.models(n)), (models, models));
            let mut times = vec![0; n];
            for p in &parts {
                let mut all: Vec<usize> = p.inside.iter().chain(&p.held_out).copied().collect();
                all.sort_unstable();
                assert_eq!(all, (0..n).collect::<Vec<_>>());
                assert!(p.validation * 8 >= p.inside.len() && p.validation * 7 < p.inside.len());
                p.held_out.iter().for_each(|&i| times[i] += 1);
            }
            let expected = if models == 1 { None } else { Some(models / 5) };
            assert!(expected.is_none_or(|e| times.iter().all(|t| *t == e)));
        }
        let many = &partition.folds(400_000, None, 1).unwrap()[0];
        let sizes = (many.inside.len(), many.validation, many.held_out.len());
        assert_eq!(sizes, (204_000, 4_000, 20_000));
        let (a, b) = (partition.folds(50, None, 1), partition.folds(50, None, 2));
        assert_ne!(a, b);
        assert!(
            partition
                .folds(19, None, 1)
                .unwrap_err()
                .contains("too few")
        );
    }
}
