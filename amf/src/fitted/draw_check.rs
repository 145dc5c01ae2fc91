//! The model's draws beside the rows: spread and extremes of each column.

use super::Column;
use faer::prelude::*;
use numerics::math::exp;
use serde::{Deserialize, Serialize};

/// Standard deviations that differ by more than so many standard errors differ by more than chance.
const CLEAR: f64 = 3.0;
/// And by less than this ratio do no harm; by more than the second, the draws cannot be used.
const RATIO: (f64, f64) = (1.15, 1.5);
/// With a larger error a single row makes most of the fourth moment: the rows have no standard deviation to
/// speak of.
const HEAVY: f64 = 0.35;
/// The chance that counts of draws or rows in the tails may have.
const CHANCE: f64 = 1e-3;

/// How the draws of a fitted density compare with the rows that it was fitted to, in one column.
///
/// Held-out likelihood hardly sees a tail that is far too heavy: it costs little density where the rows are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawCheck {
    /// Name of the column.
    pub column: String,
    /// Standard deviation of the rows, and of the draws.
    pub standard_deviation: (f64, f64),
    /// Standard error of the logarithm of the rows' standard deviation, if the rows come from a
    /// distribution with four moments: `sqrt((kurtosis - 1) / (4 n))`.
    pub log_error: f64,
    /// Smallest and largest of the rows.
    pub rows: (f64, f64),
    /// Smallest and largest of the draws.
    pub draws: (f64, f64),
    /// Share of draws beyond all rows.
    pub beyond: f64,
}

impl DrawCheck {
    /// Of each column of the rows (n x d), with weights of sum one if they are weighted, and draws (m x
    /// d). Of the rows, `effective` count as independent.
    pub(super) fn of(
        columns: &[Column],
        rows: MatRef<'_, f64>,
        shares: Option<&[f64]>,
        draws: MatRef<'_, f64>,
        effective: f64,
    ) -> Vec<Self> {
        let equal = vec![1.0 / rows.nrows() as f64; rows.nrows()];
        let shares = shares.unwrap_or(&equal);
        let all = vec![1.0 / draws.nrows() as f64; draws.nrows()];
        let of = |(j, c): (usize, &Column)| {
            let (own, its) = (Moments::of(rows, j, shares), Moments::of(draws, j, &all));
            let outside = |i: &usize| !(own.low..=own.high).contains(&draws[(*i, j)]);
            let beyond = (0..draws.nrows()).filter(outside).count();
            Self {
                column: c.name.clone(),
                standard_deviation: (own.sd, its.sd),
                log_error: ((own.kurtosis - 1.0).max(0.0) / (4.0 * effective)).sqrt(),
                rows: (own.low, own.high),
                draws: (its.low, its.high),
                beyond: beyond as f64 / draws.nrows() as f64,
            }
        };
        columns.iter().enumerate().map(of).collect()
    }

    /// How many times the rows' standard deviation that of the draws is.
    pub(super) fn ratio(&self) -> f64 {
        let (own, its) = self.standard_deviation;
        if its.is_nan() {
            f64::INFINITY
        } else {
            its / own
        }
    }

    /// Whether the draws are so much wider than the rows that they cannot be used.
    pub(super) fn is_far_too_wide(&self) -> bool {
        let ratio = self.ratio();
        ratio > RATIO.1 && self.is_clear(ratio)
    }

    /// Whether standard deviations of this ratio differ by more than chance.
    fn is_clear(&self, ratio: f64) -> bool {
        self.log_error < HEAVY && numerics::math::ln(ratio) > CLEAR * self.log_error
    }

    /// What speaks against the draws, given how many rows count as independent; and whether it is grave.
    pub(super) fn objection(&self, effective: f64) -> Option<(bool, String)> {
        let (own, its) = self.standard_deviation;
        let ratio = self.ratio().max(1.0 / self.ratio());
        let off = ratio > RATIO.0 && self.is_clear(ratio);
        // Of n rows none lies beyond all rows: by chance, if draws of the model do so rarely.
        let heavy = exp(-effective * self.beyond) < CHANCE;
        if !off && !heavy {
            return None;
        }
        let name = &self.column;
        let (low, high) = self.rows;
        let said = if off {
            format!(
                "draws of \"{name}\" have a standard deviation of {its:.3e} where the rows have {own:.3e}, and go from {:.3e} to {:.3e} \
                 where the rows end at {low:.3e} and {high:.3e}: give the column its bounds, or take its logarithm",
                self.draws.0, self.draws.1
            )
        } else {
            format!(
                "{:.2} % of draws of \"{name}\" lie beyond all rows, which end at {low:.3e} and {high:.3e}: its tails are too heavy, or it \
                 has a bound there",
                100.0 * self.beyond
            )
        };
        Some((off && ratio > RATIO.1, said))
    }
}

/// Weighted moments and ends of a column.
struct Moments {
    sd: f64,
    kurtosis: f64,
    low: f64,
    high: f64,
}

impl Moments {
    fn of(x: MatRef<'_, f64>, j: usize, shares: &[f64]) -> Self {
        let weighted = |f: &dyn Fn(f64) -> f64| -> f64 {
            let terms = shares.iter().enumerate().map(|(i, w)| w * f(x[(i, j)]));
            numerics::math::sum(&terms.collect::<Vec<f64>>())
        };
        let mean = weighted(&|v| v);
        let variance = weighted(&|v| (v - mean) * (v - mean));
        let sd = variance.sqrt();
        let values = || {
            (0..x.nrows())
                .filter(|i| shares[*i] > 0.0)
                .map(|i| x[(i, j)])
        };
        Self {
            sd,
            kurtosis: weighted(&|v| ((v - mean) / sd).powi(4)),
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    fn normal(n: usize, sd: f64, label: &str) -> Mat<f64> {
        let mut rng = stream(1, label);
        Mat::from_fn(n, 1, |_, _| sd * standard_normal(&mut rng))
    }

    fn objection(rows: &Mat<f64>, draws: &Mat<f64>) -> Option<(bool, String)> {
        let n = rows.nrows() as f64;
        let columns = [Column::real("a")];
        let found = DrawCheck::of(&columns, rows.as_ref(), None, draws.as_ref(), n);
        found[0].objection(n)
    }

    #[test]
    fn draws_like_the_rows_pass_and_wild_ones_do_not() {
        let rows = normal(1000, 2.0, "rows");
        assert_eq!(objection(&rows, &normal(20_000, 2.0, "draws")), None);
        assert_eq!(objection(&rows, &normal(20_000, 2.1, "draws")), None);
        let (grave, said) = objection(&rows, &normal(20_000, 2.8, "draws")).unwrap();
        assert!(!grave && said.contains("standard deviation"), "{said}");
        // One draw in two thousand is a hundred times too far out.
        let mut wild = normal(20_000, 2.0, "draws");
        (0..10).for_each(|i| wild[(2000 * i, 0)] = 300.0);
        let (grave, said) = objection(&rows, &wild).unwrap();
        assert!(grave && said.contains("3.000e2"), "{said}");
        let mut infinite = normal(20_000, 2.0, "draws");
        infinite[(0, 0)] = f64::INFINITY;
        assert!(objection(&rows, &infinite).unwrap().0);
    }

    #[test]
    fn heavy_tails_of_the_rows_themselves_are_no_objection() {
        let cauchy = |n: usize, label: &str| {
            let mut rng = stream(1, label);
            Mat::from_fn(n, 1, |_, _| {
                standard_normal(&mut rng) / standard_normal(&mut rng)
            })
        };
        let found = objection(&cauchy(1000, "rows"), &cauchy(20_000, "draws"));
        assert!(found.is_none_or(|o| !o.0 || o.1.contains("standard deviation")));
    }

    #[test]
    fn mass_beyond_a_wall_is_said() {
        let mut rng = stream(1, "wall");
        let uniform = Mat::from_fn(2000, 1, |_, _| numerics::random::uniform(&mut rng));
        let wide = Mat::from_fn(20_000, 1, |_, _| {
            1.04 * numerics::random::uniform(&mut rng) - 0.02
        });
        let (grave, said) = objection(&uniform, &wide).unwrap();
        assert!(!grave && said.contains("beyond all rows"), "{said}");
    }
}
