//! Rows that depend on each other: those of Markov chains.

use super::Draws;
use numerics::ChainDiagnostics;
use numerics::matrix::{col, select_rows};
use serde::{Deserialize, Serialize};

/// Rows count as independent while their effective number is at least this share of them.
const INDEPENDENT: f64 = 0.7;
/// And while the autocorrelation of neighbours is within so many standard errors of zero.
const BY_CHANCE: f64 = 4.0;
/// Blocks are so many autocorrelation times long.
const TIMES: f64 = 10.0;
/// And so short that there are at least this many, for folds of similar sizes.
const BLOCKS: usize = 20;
/// Effective sizes below the first are too small to judge a fit by; below the second (four chains with 100
/// each, Vehtari et al. 2021) quantities near the tails are not reliable.
const SMALL: (f64, f64) = (100.0, 400.0);
/// Chains of fewer rows, or fewer than one row for so many of the longest chain, are left out of the
/// diagnostics.
const SHORT: (usize, usize) = (8, 10);
/// R-hat above the first: the chains are far from one distribution; above the second: Stan would
/// run them longer.
const APART: (f64, f64) = (1.05, 1.01);

/// How much the rows depend on each other, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowDependence {
    /// The number of chains.
    pub chains: usize,
    /// Whether the draws said which chain each row is of; otherwise the order of the rows shows that
    /// they are steps of a chain.
    pub named: bool,
    /// The number of rows.
    pub rows: usize,
    /// The smallest effective sample size of a column, at most `rows`.
    pub ess: f64,
    /// Name and diagnostics of each column that varies.
    pub columns: Vec<(String, ChainDiagnostics)>,
}

impl RowDependence {
    /// Of draws of named chains, or of draws without weights whose order shows that they are dependent.
    pub(super) fn of(draws: &Draws<'_>) -> Option<Self> {
        let n = draws.points.nrows();
        match (draws.chains, draws.log_weights) {
            (Some(chains), _) => Self::of_rows(draws, &members(chains), true),
            (None, None) => {
                // Repeated neighbours become weights: they alone are no dependence.
                let differs =
                    |i: &usize| *i == 0 || draws.points.row(*i) != draws.points.row(*i - 1);
                let different: Vec<usize> = (0..n).filter(differs).collect();
                let seen = Self::of_rows(draws, &[different], false)?;
                if seen.is_by_chance() || is_sorted(draws) {
                    return None;
                }
                Self::of_rows(draws, &[(0..n).collect()], false)
            }
            (None, Some(_)) => None,
        }
    }

    /// Chains far shorter than the longest say nothing, and would cut the others to their length.
    fn of_rows(draws: &Draws<'_>, chains: &[Vec<usize>], named: bool) -> Option<Self> {
        let longest = chains.iter().map(Vec::len).max()?;
        let long = |c: &&Vec<usize>| c.len() >= SHORT.0.max(longest / SHORT.1);
        let chains: Vec<&Vec<usize>> = chains.iter().filter(long).collect();
        let points: Vec<_> = chains
            .iter()
            .map(|rows| select_rows(draws.points, rows))
            .collect();
        let diagnose = |j: usize| {
            let own: Vec<&[f64]> = points.iter().map(|p| col(p.as_ref(), j)).collect();
            Some((draws.columns[j].name.clone(), ChainDiagnostics::of(&own)?))
        };
        let columns: Vec<_> = (0..draws.columns.len()).filter_map(diagnose).collect();
        let rows: usize = chains.iter().map(|c| c.len()).sum();
        let smallest = columns.iter().map(|(_, c)| c.ess_bulk).reduce(f64::min)?;
        Some(Self {
            chains: chains.len(),
            named,
            rows,
            ess: smallest.min(rows as f64),
            columns,
        })
    }

    /// Whether independent rows would look like this.
    fn is_by_chance(&self) -> bool {
        let error = 1.0 / (self.rows as f64).sqrt();
        let depends = |c: &ChainDiagnostics| {
            c.ess_bulk < INDEPENDENT * self.rows as f64 && c.neighbours > BY_CHANCE * error
        };
        !self.columns.iter().any(|(_, c)| depends(c))
    }

    /// The share of rows that count as independent ones.
    pub(super) fn share(&self) -> f64 {
        if self.is_by_chance() {
            1.0
        } else {
            self.ess / self.rows as f64
        }
    }

    /// The block of each row of the draws: steps of a chain that follow each other. None where rows count as
    /// independent.
    pub(super) fn blocks(&self, draws: &Draws<'_>) -> Option<Vec<usize>> {
        if self.is_by_chance() {
            return None;
        }
        let n = draws.points.nrows();
        let long = (TIMES * n as f64 / self.ess).ceil() as usize;
        let long = long.min(n / BLOCKS).max(1);
        let chains = draws.chains.map_or_else(|| vec![(0..n).collect()], members);
        let mut blocks = vec![0; n];
        let mut next = 0;
        for chain in chains {
            for block in chain.chunks(long) {
                block.iter().for_each(|&row| blocks[row] = next);
                next += 1;
            }
        }
        Some(blocks)
    }

    /// What speaks against the fit; with each, whether it is grave.
    pub(super) fn objections(&self) -> Vec<(bool, String)> {
        let mut out = Vec::new();
        let worst = self
            .columns
            .iter()
            .max_by(|a, b| a.1.r_hat.total_cmp(&b.1.r_hat));
        if let Some((name, c)) = worst.filter(|(_, c)| c.r_hat > APART.1) {
            let parts = if self.chains > 1 {
                "chains"
            } else {
                "halves of the chain"
            };
            out.push((
                c.r_hat > APART.0,
                format!(
                    "the {parts} disagree: R-hat of \"{name}\" is {:.3}, above {}; run the sampler longer{}",
                    c.r_hat,
                    APART.1,
                    self.remedy()
                ),
            ));
        }
        if self.ess < SMALL.1 && !self.is_by_chance() {
            let said = format!(
                "the rows depend on each other: {} are worth {:.0} independent ones, below {}; run the sampler longer{}",
                self.rows,
                self.ess,
                SMALL.1,
                self.remedy()
            );
            out.push((self.ess < SMALL.0, said));
        }
        out
    }

    fn remedy(&self) -> &'static str {
        if self.named {
            ""
        } else {
            " (or shuffle the rows, if they are independent and only sorted)"
        }
    }
}

/// The rows of each chain, in order, chains in the order of their first rows.
fn members(chains: &[usize]) -> Vec<Vec<usize>> {
    let mut names: Vec<usize> = Vec::new();
    let mut found: Vec<Vec<usize>> = Vec::new();
    for (row, chain) in chains.iter().enumerate() {
        match names.iter().position(|c| c == chain) {
            Some(k) => found[k].push(row),
            None => {
                names.push(*chain);
                found.push(vec![row]);
            }
        }
    }
    found
}

/// Whether the rows are in the order of a column, which says nothing about how they were drawn. A column
/// of equal steps only numbers them.
fn is_sorted(draws: &Draws<'_>) -> bool {
    (0..draws.points.ncols()).any(|j| {
        let x = draws.points.col(j);
        let pairs = || (1..x.nrows()).map(|i| (x[i - 1], x[i]));
        let step = x[1] - x[0];
        let numbers = step != 0.0 && pairs().all(|(a, b)| (b - a - step).abs() < 1e-6 * step.abs());
        !numbers && (pairs().all(|(a, b)| a <= b) || pairs().all(|(a, b)| a >= b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;
    use numerics::random::{standard_normal, stream};

    /// An autoregressive chain in two columns.
    fn chain(a: f64, n: usize, seed: u64) -> Mat<f64> {
        let mut rng = stream(seed, "chain");
        let mut at = [standard_normal(&mut rng), standard_normal(&mut rng)];
        let mut x = Mat::zeros(n, 2);
        for i in 0..n {
            for j in 0..2 {
                at[j] = a * at[j] + (1.0 - a * a).sqrt() * standard_normal(&mut rng);
                x[(i, j)] = at[j];
            }
        }
        x
    }

    #[test]
    fn independent_rows_are_not_taken_for_a_chain() {
        for seed in 0..40 {
            for n in [50, 200, 1000] {
                let x = chain(0.0, n, seed);
                assert_eq!(
                    RowDependence::of(&Draws::of(x.as_ref())),
                    None,
                    "{seed} {n}"
                );
            }
        }
    }

    #[test]
    fn the_order_of_a_chain_is_seen_and_its_blocks_are_long() {
        let x = chain(0.9, 4000, 1);
        let draws = Draws::of(x.as_ref());
        let found = RowDependence::of(&draws).unwrap();
        // n (1 - a) / (1 + a) = 210.
        assert!(
            (120.0..300.0).contains(&found.ess) && !found.named,
            "{found:?}"
        );
        let blocks = found.blocks(&draws).unwrap();
        let count = blocks.iter().max().unwrap() + 1;
        assert!((20..40).contains(&count), "{count}");
        assert!(blocks.is_sorted());
        let said = found.objections();
        assert!(
            said.iter().any(|o| !o.0 && o.1.contains("worth")),
            "{said:?}"
        );
        let slow = chain(0.99, 1000, 2);
        let found = RowDependence::of(&Draws::of(slow.as_ref())).unwrap();
        assert!(found.objections().iter().any(|o| o.0), "{found:?}");
    }

    #[test]
    fn a_short_chain_and_a_numbering_hide_nothing() {
        let x = chain(0.0, 203, 4);
        let names: Vec<usize> = (0..203)
            .map(|i| if i < 200 { i / 100 } else { 2 })
            .collect();
        let apart = Mat::from_fn(203, 2, |i, j| {
            x[(i, j)] + 6.0 * f64::from(u8::from(i < 100))
        });
        let found = RowDependence::of(&Draws::of(apart.as_ref()).in_chains(&names)).unwrap();
        assert!(found.objections().iter().any(|o| o.0), "{found:?}");
        // Independent rows of few chains are few, but independent.
        let found = RowDependence::of(&Draws::of(x.as_ref()).in_chains(&names)).unwrap();
        assert!(
            !found.objections().iter().any(|o| o.1.contains("worth")),
            "{found:?}"
        );
        let slow = chain(0.95, 400, 5);
        let numbered = Mat::from_fn(400, 2, |i, j| if j == 0 { i as f64 } else { slow[(i, j)] });
        assert!(RowDependence::of(&Draws::of(numbered.as_ref())).is_some());
    }

    #[test]
    fn repeated_and_sorted_rows_are_not_a_chain_and_named_chains_are_compared() {
        let x = chain(0.0, 400, 3);
        let twice = Mat::from_fn(800, 2, |i, j| x[(i / 2, j)]);
        assert_eq!(RowDependence::of(&Draws::of(twice.as_ref())), None);
        let mut order: Vec<usize> = (0..400).collect();
        order.sort_by(|&a, &b| x[(a, 0)].total_cmp(&x[(b, 0)]));
        let sorted = select_rows(x.as_ref(), &order);
        assert_eq!(RowDependence::of(&Draws::of(sorted.as_ref())), None);
        let apart = Mat::from_fn(400, 2, |i, j| {
            x[(i, j)] + f64::from(u8::from(i % 2 == 0)) * 2.0
        });
        let names: Vec<usize> = (0..400).map(|i| i % 2).collect();
        let found = RowDependence::of(&Draws::of(apart.as_ref()).in_chains(&names)).unwrap();
        assert_eq!((found.chains, found.named), (2, true));
        let said = found.objections();
        assert!(
            said.iter().any(|o| o.0 && o.1.contains("chains disagree")),
            "{said:?}"
        );
    }
}
