//! Calibration: held-out rows in the model's regions of highest density.

use super::Column;
use crate::folds::Fold;
use density::Density;
use density::{Mixture, mixture_log_prob};
use faer::prelude::*;
use metrics::{NeighbourTest, OrthantTest};
use numerics::math::{exp, sum};
use numerics::matrix::select_rows;
use numerics::random::{stream, uniform};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Draws of the model, over all folds.
const DRAWS: usize = 20_000;
/// The same where a draw is expensive: in many dimensions.
const DRAWS_WIDE: usize = 5_000;
/// The most dimensions at which [`DRAWS`] are taken.
const NARROW: usize = 16;
/// The most rows, and as many draws, that are compared by nearest neighbours, and the fewest.
const COMPARED: (usize, usize) = (2_000, 40);
/// The neighbours of each.
const NEIGHBOURS: usize = 10;
/// A test whose p-value is below this speaks against the model; below a tenth of it, gravely.
const SIGNIFICANT: f64 = 0.01;
/// A test of orthants that is as certain as this speaks gravely against it.
const ALL_BUT_CERTAIN: f64 = 1e-4;
/// A share of neighbours that is too large by more than this does harm.
const NEIGHBOUR_TOLERANCE: f64 = 0.02;
/// The regions: the last one is about the tails.
const NOMINAL: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// A share that is off by less than this does no harm.
const TOLERANCE: f64 = 0.02;
/// The same for the share beyond the last region.
const TAIL_TOLERANCE: f64 = 0.004;
/// The chance that a normal variate lies more than three standard deviations above its mean.
const CHANCE: f64 = 0.00135;
/// A share that is off by more than this many times its tolerance makes the model untrustworthy.
const GRAVE: f64 = 2.5;

/// Shares of held-out rows in the model's regions of highest density.
///
/// For a row x and the model q that did not see it, `u = P(q(y) > q(x))` for y drawn from q: the
/// smallest region of highest density that x lies in. If the rows come from q, u is uniform on (0,
/// 1), whatever q is (Hyndman 1996). Too many rows in a small region: q is too wide; too few: q is
/// too narrow, or misplaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The regions of 50, 90, 99 and 99.9 %.
    pub regions: Vec<Region>,
    /// The largest distance of the distribution function of u from that of the uniform law.
    pub distance: f64,
    /// Probability of such a distance by chance (Kolmogorov and Smirnov).
    pub p_value: f64,
    /// Effective number of rows compared.
    pub rows: f64,
    /// Draws of the model that they were compared with.
    pub draws: usize,
    /// Held-out rows against as many draws of the models that did not see them, by nearest neighbours;
    /// none if there are too few rows to compare.
    #[serde(default)]
    pub neighbours: Option<NeighbourTest>,
    /// The same rows against all draws, by orthants.
    #[serde(default)]
    pub orthants: Option<OrthantTest>,
}

/// A region of highest density.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The share of the model's probability in it.
    pub nominal: f64,
    /// The share of held-out rows in it.
    pub share: f64,
    /// Standard error of the share if the model is right: of the rows and of the draws together.
    pub standard_error: f64,
}

/// A fold's models of each expert, with the weights of the experts.
pub(super) struct CrossFittedModels<'a> {
    pub models: &'a [Vec<Arc<dyn Density>>],
    pub pi: &'a [f64],
    pub folds: &'a [Fold],
}

impl Calibration {
    /// Evaluates each row that the first `folds` folds hold out, on the whole line, under the
    /// mixture of that fold's models. The share `independent` of the rows counts as independent ones.
    pub(super) fn of(
        points: MatRef<'_, f64>,
        shares: Option<&[f64]>,
        models: &CrossFittedModels<'_>,
        independent: f64,
        seed: u64,
    ) -> Self {
        let total = if points.ncols() <= NARROW {
            DRAWS
        } else {
            DRAWS_WIDE
        };
        let each = total / models.folds.len();
        let mut ranks: Vec<(f64, f64)> = Vec::new();
        let (mut seen, mut drawn, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (p, fold) in models.folds.iter().enumerate() {
            // Only experts with weight.
            let own = |k: &usize| models.pi[*k] > 0.0;
            let pi: Vec<f64> = models.pi.iter().copied().filter(|w| *w > 0.0).collect();
            let experts: Vec<Box<dyn Density>> = (0..models.pi.len())
                .filter(own)
                .map(|k| Box::new(Arc::clone(&models.models[k][p])) as Box<dyn Density>)
                .collect();
            let q = Mixture::new(experts, pi);
            let density =
                |x: MatRef<'_, f64>| mixture_log_prob(q.log_prob_table(x).as_ref(), q.weights());
            let draws = q.sample(each, &mut stream(seed, &format!("calibration/{p}")));
            let mut levels = density(draws.as_ref());
            levels.sort_unstable_by(f64::total_cmp);
            let held_out = select_rows(points, &fold.held_out);
            for (l, &row) in density(held_out.as_ref()).iter().zip(&fold.held_out) {
                // The middle of the draws of equal density, so that a uniform law stays one.
                let below = levels.partition_point(|v| v < l);
                let not_above = levels.partition_point(|v| v <= l);
                let at = 0.5 * (below + not_above) as f64 / each as f64;
                ranks.push((1.0 - at, shares.map_or(1.0, |s| s[row])));
            }
            let weights: Vec<f64> = fold
                .held_out
                .iter()
                .map(|&i| shares.map_or(1.0, |s| s[i]))
                .collect();
            let most = (COMPARED.0 / models.folds.len()).min(each);
            let offset = uniform(&mut stream(seed, &format!("calibration/{p}/rows")));
            let chosen = spaced(&weights, independent, most, offset);
            all.extend((0..each).map(|i| row_of(draws.as_ref(), i)));
            drawn.extend((0..chosen.len()).map(|i| row_of(draws.as_ref(), i)));
            seen.extend(chosen.into_iter().map(|i| row_of(held_out.as_ref(), i)));
        }
        let (mut neighbours, mut orthants) = (None, None);
        if seen.len() >= COMPARED.1 {
            let (x, y, all) = (matrix(&seen), matrix(&drawn), matrix(&all));
            let rng = &mut stream(seed, "calibration/neighbours");
            neighbours = NeighbourTest::of(x.as_ref(), y.as_ref(), NEIGHBOURS, rng).ok();
            orthants = OrthantTest::of(x.as_ref(), all.as_ref()).ok();
        }
        let weights: Vec<f64> = ranks.iter().map(|r| r.1).collect();
        let total_weight = sum(&weights);
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let rows = independent * total_weight * total_weight / squares;
        let draws = each * models.folds.len();
        let region = |nominal: f64| {
            let inside = ranks.iter().filter(|r| r.0 <= nominal).map(|r| r.1);
            let variance = nominal * (1.0 - nominal);
            Region {
                nominal,
                share: inside.sum::<f64>() / total_weight,
                standard_error: (variance / rows + variance / draws as f64).sqrt(),
            }
        };
        let regions = NOMINAL.map(region).to_vec();
        ranks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut below, mut distance) = (0.0, 0.0f64);
        for (u, w) in &ranks {
            distance = distance.max((u - below).abs());
            below += w / total_weight;
            distance = distance.max((below - u).abs());
        }
        let together = rows * draws as f64 / (rows + draws as f64);
        Self {
            regions,
            distance,
            p_value: kolmogorov(distance, together),
            rows,
            draws,
            neighbours,
            orthants,
        }
    }

    /// Objections to the model: shares that are off by more than three standard errors and by more
    /// than the tolerance; with each, whether it is grave.
    pub(super) fn objections(&self, columns: &[Column]) -> Vec<(bool, String)> {
        let mut out = Vec::new();
        for r in &self.regions {
            let off = r.share - r.nominal;
            if off.abs() <= 3.0 * r.standard_error {
                continue;
            }
            let percent = 100.0 * r.nominal;
            if r.nominal == NOMINAL[3] {
                // Few rows are expected there, so that their number is far from normal.
                let found = (1.0 - r.share) * self.rows;
                let chance = at_least(found.round() as usize, (1.0 - r.nominal) * self.rows);
                if -off > TAIL_TOLERANCE && chance < CHANCE {
                    let said = format!(
                        "{:.2} % of held-out rows lie beyond the model's region of {percent} %, where {:.2} % should: its tails are too \
                         light, or there are outliers",
                        100.0 * (1.0 - r.share),
                        100.0 - percent
                    );
                    out.push((-off > GRAVE * TAIL_TOLERANCE, said));
                }
            } else if off.abs() > TOLERANCE {
                let said = format!(
                    "{:.1} % of held-out rows lie in the model's region of {percent} % (standard error {:.1} %): the model is too {}",
                    100.0 * r.share,
                    100.0 * r.standard_error,
                    if off > 0.0 { "wide" } else { "narrow" }
                );
                out.push((off.abs() > GRAVE * TOLERANCE, said));
            }
        }
        if self.p_value < SIGNIFICANT {
            let said = format!(
                "held-out rows lie in other regions of highest density than the model's draws would ({})",
                probability(self.p_value)
            );
            out.push((false, said));
        }
        if let Some(o) = self.orthants.as_ref().filter(|o| o.p_value < SIGNIFICANT) {
            let columns: Vec<String> = o
                .coordinates
                .iter()
                .map(|j| format!("\"{}\"", columns[*j].name))
                .collect();
            let said = format!(
                "held-out rows and draws of the model spread differently over the sides of the medians of {} together ({:.1} \
                 standard errors, {}): the model lacks structure of the rows; more rows or other experts may help",
                columns.join(", "),
                o.z,
                probability(o.p_value)
            );
            out.push((o.p_value < ALL_BUT_CERTAIN, said));
        }
        if let Some(n) = self.neighbours.filter(|n| n.p_value < SIGNIFICANT) {
            let more = n.share - n.expected;
            let said = format!(
                "held-out rows and draws of the model can be told apart: {:.1} % of nearest neighbours are of a point's own kind, where \
                 {:.1} % would be (p = {:.3}): the model lacks structure of the rows; more rows or other experts may help",
                100.0 * n.share,
                100.0 * n.expected,
                n.p_value
            );
            out.push((
                n.p_value < 0.1 * SIGNIFICANT + 1e-9 && more > NEIGHBOUR_TOLERANCE,
                said,
            ));
        }
        out
    }
}

/// Rows that stand for weighted ones: evenly spaced along the cumulative sum of the weights, as many as
/// independent ones are there, at most `most`; none twice.
fn spaced(weights: &[f64], independent: f64, most: usize, offset: f64) -> Vec<usize> {
    let total = sum(weights);
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    if squares <= 0.0 {
        return Vec::new();
    }
    let effective = independent * total * total / squares;
    let count = ((effective * (1.0 + 1e-9)) as usize).clamp(1, most);
    let step = total / count as f64;
    let mut left = offset * step;
    let mut out = Vec::new();
    for (i, w) in weights.iter().enumerate() {
        left -= w;
        if left < 0.0 {
            out.push(i);
            while left < 0.0 {
                left += step;
            }
        }
    }
    out
}

fn row_of(x: MatRef<'_, f64>, i: usize) -> Vec<f64> {
    (0..x.ncols()).map(|j| x[(i, j)]).collect()
}

fn matrix(rows: &[Vec<f64>]) -> Mat<f64> {
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

fn probability(p: f64) -> String {
    if p < 1e-4 {
        "p < 0.0001".into()
    } else {
        format!("p = {p:.4}")
    }
}

/// The chance that a Poisson variate of the given mean is at least `count`.
fn at_least(count: usize, mean: f64) -> f64 {
    let (mut term, mut below) = (exp(-mean), 0.0);
    for k in 0..count {
        below += term;
        term *= mean / (k + 1) as f64;
    }
    (1.0 - below).max(0.0)
}

/// Probability that the largest distance of n uniform points from the uniform law is above
/// `distance`, by the limit law with Stephens' (1970) correction.
fn kolmogorov(distance: f64, n: f64) -> f64 {
    let t = distance * (n.sqrt() + 0.12 + 0.11 / n.sqrt());
    if t < 0.3 {
        return 1.0;
    }
    let terms = (1..=100).map(|k| {
        let k = f64::from(k);
        let sign = if k as i32 % 2 == 1 { 1.0 } else { -1.0 };
        sign * exp(-2.0 * k * k * t * t)
    });
    (2.0 * terms.sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::normal_log_pdf;
    use numerics::random::{Pcg64, standard_normal};

    struct Normal {
        sd: f64,
    }

    impl Density for Normal {
        fn dim(&self) -> usize {
            1
        }
        fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
            let density = |i| normal_log_pdf(x[(i, 0)] / self.sd) - numerics::math::ln(self.sd);
            (0..x.nrows()).map(density).collect()
        }
        fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
            Mat::from_fn(n, 1, |_, _| self.sd * standard_normal(rng))
        }
    }

    fn of(sd: f64, weighted: bool) -> Calibration {
        let mut rng = stream(1, "calibration test");
        let x = Mat::from_fn(2000, 1, |_, _| standard_normal(&mut rng));
        let half = |k: usize| Fold {
            inside: Vec::new(),
            validation: 0,
            held_out: (1000 * k..1000 * (k + 1)).collect(),
        };
        let models: Vec<Arc<dyn Density>> = vec![Arc::new(Normal { sd }), Arc::new(Normal { sd })];
        let shares = vec![1.0 / 2000.0; 2000];
        Calibration::of(
            x.as_ref(),
            weighted.then_some(&shares),
            &CrossFittedModels {
                models: &[models],
                pi: &[1.0],
                folds: &[half(0), half(1)],
            },
            1.0,
            7,
        )
    }

    #[test]
    fn one_row_of_fifty_in_the_tail_is_no_objection_and_ten_of_a_thousand_are() {
        assert!((at_least(1, 0.05) - 0.048_770_575_499_285_99).abs() < 1e-15);
        assert!((at_least(3, 2.0) - 0.323_323_583_816_936_5).abs() < 1e-14);
        assert!(at_least(0, 1.0) == 1.0 && at_least(400, 300.0) < 1e-6);
        let with = |rows: f64, outside: f64| Calibration {
            regions: vec![Region {
                nominal: 0.999,
                share: 1.0 - outside / rows,
                standard_error: (0.000_999 / rows).sqrt(),
            }],
            distance: 0.0,
            p_value: 1.0,
            rows,
            draws: 20_000,
            neighbours: None,
            orthants: None,
        };
        assert!(with(50.0, 1.0).objections(&[Column::real("x")]).is_empty());
        assert!(
            with(1000.0, 5.0)
                .objections(&[Column::real("x")])
                .is_empty()
        );
        assert!(
            with(1000.0, 10.0)
                .objections(&[Column::real("x")])
                .iter()
                .any(|o| !o.0)
        );
        assert!(
            with(1000.0, 20.0)
                .objections(&[Column::real("x")])
                .iter()
                .any(|o| o.0)
        );
    }

    #[test]
    fn the_right_model_is_calibrated_and_wrong_ones_are_not() {
        let right = of(1.0, false);
        assert!(
            right.objections(&[Column::real("x")]).is_empty() && right.p_value > 0.01,
            "{right:?}"
        );
        assert!(right.neighbours.unwrap().p_value > 0.01, "{right:?}");
        let weighted = of(1.0, true);
        assert!((weighted.rows - 2000.0).abs() < 1e-6);
        assert!((weighted.distance - right.distance).abs() < 1e-9);
        let narrow = of(0.8, false);
        assert!(narrow.p_value < 1e-6);
        let said: Vec<String> = narrow
            .objections(&[Column::real("x")])
            .into_iter()
            .map(|o| o.1)
            .collect();
        let said = said.join("; ");
        assert!(
            said.contains("too narrow") && said.contains("tails are too light"),
            "{said}"
        );
        let wide = of(1.3, false);
        assert!(
            wide.objections(&[Column::real("x")])[0]
                .1
                .contains("too wide"),
            "{wide:?}"
        );
    }

    #[test]
    fn evenly_spaced_rows_stand_for_weighted_ones() {
        assert_eq!(spaced(&[1.0; 6], 1.0, 10, 0.5), [0, 1, 2, 3, 4, 5]);
        assert_eq!(spaced(&[1.0; 6], 0.5, 10, 0.5), [1, 3, 5]);
        assert_eq!(spaced(&[1.0; 6], 1.0, 2, 0.9), [2, 5]);
        // One row with most of the weight is there once.
        assert_eq!(spaced(&[0.01, 10.0, 0.01], 1.0, 10, 0.5), [1]);
        assert!(spaced(&[0.0, 0.0], 1.0, 10, 0.5).is_empty());
    }

    #[test]
    fn quantiles_of_the_limit_law() {
        // 1.3581 is exceeded with probability 0.05, 1.6276 with 0.01.
        for (t, p) in [(1.3581, 0.05), (1.6276, 0.01)] {
            let n = 1e10f64;
            assert!((kolmogorov(t / n.sqrt(), n) - p).abs() < 1e-4);
        }
        assert_eq!(kolmogorov(0.0, 100.0), 1.0);
    }
}
