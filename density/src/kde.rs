//! Gaussian kernel density estimate with a cross-validated bandwidth.

use crate::archive::{Description, NotSavable, Reader, Writer};
use crate::{Data, Density, EmConfig, EmError, GaussianMixture};
use faer::prelude::*;
use numerics::math::{LN_2PI, exp, ln, ln_sum_exp, sum};
use numerics::matrix::col;
use numerics::random::{Pcg64, categorical, fill_standard_normal};
use rayon::prelude::*;

/// The most points over which the bandwidth is cross-validated: the work grows with their square.
const MOST: usize = 4000;
/// Points scored together.
const TILE: usize = 64;

/// `q(x) = sum_i w_i N(x; x_i, h^2 C)`, C the covariance of the points and h chosen by the
/// likelihood of each point under the others.
#[derive(Debug, Clone)]
pub struct Kde {
    /// Points in the coordinates where C is the identity, n x d.
    white: Mat<f64>,
    /// `ln w_i`.
    log_weights: Vec<f64>,
    weights: Vec<f64>,
    /// The single normal with the mean and covariance of the points: its map to white coordinates.
    normal: GaussianMixture,
    bandwidth: f64,
}

impl Kde {
    /// Fits the bandwidth by leave-one-out likelihood (on at most 4,000 of the points).
    ///
    /// # Errors
    /// Points that cannot be used, or are all equal.
    pub fn fit(data: Data<'_>, rng: &mut Pcg64) -> Result<Self, EmError> {
        let exact = EmConfig {
            floor: 0.0,
            ..EmConfig::default()
        };
        let normal = GaussianMixture::fit(data, 1, &exact, rng)?;
        let n = data.points.nrows();
        let weights = match data.weights {
            None => vec![1.0 / n as f64; n],
            Some(w) => {
                let total = sum(w);
                w.iter().map(|w| w / total).collect()
            }
        };
        let mut this = Self {
            white: normal.whiten(data.points),
            log_weights: weights.iter().map(|&w| ln(w)).collect(),
            weights,
            normal,
            bandwidth: 1.0,
        };
        this.bandwidth = this.cross_validate();
        Ok(this)
    }

    /// The bandwidth h, in units of the points' standard deviations.
    #[must_use]
    pub fn bandwidth(&self) -> f64 {
        self.bandwidth
    }

    /// The kind's name in files.
    pub const KIND: &'static str = "kde";

    /// Reads `points` (n x d, in coordinates where their covariance is the identity), their
    /// `weights` (n), `bandwidth` (1), and in the folder `frame` the normal that gives these
    /// coordinates.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, String> {
        let white = r.matrix("points")?;
        let weights = r.vector("weights")?;
        let bandwidth = r.shaped("bandwidth", &[1])?[0];
        let normal = r.within("frame", |r| GaussianMixture::read(r))?;
        let total = sum(&weights);
        let sound = white.nrows() == weights.len()
            && white.ncols() == normal.dim()
            && normal.len() == 1
            && (total - 1.0).abs() < 1e-6
            && weights.iter().all(|w| *w >= 0.0)
            && bandwidth > 0.0;
        if !sound {
            return Err(
                "a kernel density needs a weight for each point, weights of sum one, one normal as its \
                 frame and a positive bandwidth".into(),
            );
        }
        Ok(Self {
            white,
            log_weights: weights.iter().map(|&w| ln(w)).collect(),
            weights,
            normal,
            bandwidth,
        })
    }

    /// Golden-section search for the leave-one-out likelihood over ln h.
    fn cross_validate(&self) -> f64 {
        let n = self.white.nrows();
        let step = n.div_ceil(MOST);
        let rows: Vec<usize> = (0..n).step_by(step).collect();
        let part = numerics::matrix::select_rows(self.white.as_ref(), &rows);
        let weights: Vec<f64> = rows.iter().map(|&i| self.weights[i]).collect();
        let total = sum(&weights);
        // Fewer points need a wider kernel: h ~ n^(-1/(d+4)).
        let d = self.white.ncols() as f64;
        let correction = exp(-ln(n as f64 / rows.len() as f64) / (d + 4.0));
        let score = |log_h: f64| {
            let h = exp(log_h);
            let log_w: Vec<f64> = weights.iter().map(|&w| ln(w)).collect();
            let log_q = kernel_sums(part.as_ref(), part.as_ref(), &log_w, h);
            let own = -d * (log_h + 0.5 * LN_2PI);
            let terms: Vec<f64> = log_q
                .iter()
                .enumerate()
                .map(|(i, &l)| {
                    let w = weights[i];
                    // Subtracts the point's own kernel. Where it dominates, the difference would be
                    // rounding error and favour narrow kernels: there the others are summed
                    // directly.
                    let (all, own) = (exp(l), w * exp(own));
                    let others = if all - own > 1e-10 * own && all < f64::INFINITY {
                        ln((all - own) / (total - w))
                    } else {
                        others(part.as_ref(), i, &log_w, h) - ln(total - w)
                    };
                    w * others
                })
                .collect();
            sum(&terms)
        };
        let (mut a, mut b) = (ln(0.005), ln(1.5));
        let golden = 0.618_033_988_749_894_9;
        let (mut c, mut e) = (b - golden * (b - a), a + golden * (b - a));
        let (mut fc, mut fe) = (score(c), score(e));
        for _ in 0..24 {
            if fc > fe {
                (b, e, fe) = (e, c, fc);
                c = b - golden * (b - a);
                fc = score(c);
            } else {
                (a, c, fc) = (c, e, fe);
                e = a + golden * (b - a);
                fe = score(e);
            }
        }
        exp(0.5 * (a + b)) * correction
    }
}

/// `ln sum_i w_i N(y; x_i, h^2 I)` for each row y.
fn kernel_sums(x: MatRef<'_, f64>, y: MatRef<'_, f64>, log_w: &[f64], h: f64) -> Vec<f64> {
    let (n, d) = (x.nrows(), x.ncols());
    let scale = -0.5 / (h * h);
    let constant = -(d as f64) * (ln(h) + 0.5 * LN_2PI);
    let tiles: Vec<usize> = (0..y.nrows()).step_by(TILE).collect();
    let results: Vec<Vec<f64>> = tiles
        .into_par_iter()
        .map_init(
            || vec![0.0; n],
            |terms, first| {
                (first..(first + TILE).min(y.nrows()))
                    .map(|i| {
                        terms.fill(0.0);
                        for j in 0..d {
                            let at = y[(i, j)];
                            for (t, x) in terms.iter_mut().zip(col(x, j)) {
                                let r = x - at;
                                *t += r * r;
                            }
                        }
                        let mut max = f64::NEG_INFINITY;
                        for (t, w) in terms.iter_mut().zip(log_w) {
                            *t = *t * scale + w;
                            max = if *t > max { *t } else { max };
                        }
                        if max == f64::NEG_INFINITY {
                            return max;
                        }
                        for t in terms.iter_mut() {
                            *t = exp(*t - max);
                        }
                        constant + max + ln(sum(terms))
                    })
                    .collect()
            },
        )
        .collect();
    results.concat()
}

/// `ln sum_{k != i} w_k N(x_i; x_k, h^2 I)`.
fn others(x: MatRef<'_, f64>, i: usize, log_w: &[f64], h: f64) -> f64 {
    let (n, d) = (x.nrows(), x.ncols());
    let term = |k: usize| {
        let square = |j: usize| (x[(k, j)] - x[(i, j)]) * (x[(k, j)] - x[(i, j)]);
        log_w[k] - 0.5 * (0..d).map(square).sum::<f64>() / (h * h)
    };
    let terms: Vec<f64> = (0..n).filter(|k| *k != i).map(term).collect();
    ln_sum_exp(&terms) - d as f64 * (ln(h) + 0.5 * LN_2PI)
}

impl Density for Kde {
    fn dim(&self) -> usize {
        self.white.ncols()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let y = self.normal.whiten(x);
        let log_det = self.normal.whiten_log_det();
        let mut out = kernel_sums(
            self.white.as_ref(),
            y.as_ref(),
            &self.log_weights,
            self.bandwidth,
        );
        out.iter_mut().for_each(|l| *l += log_det);
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let d = self.dim();
        let mut y = Mat::zeros(n, d);
        let mut z = vec![0.0; d];
        for i in 0..n {
            let centre = categorical(rng, &self.weights);
            fill_standard_normal(rng, &mut z);
            for (j, z) in z.iter().enumerate() {
                y[(i, j)] = self.white[(centre, j)] + self.bandwidth * z;
            }
        }
        self.normal.unwhiten(y.as_ref())
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        w.matrix("points", self.white.as_ref());
        w.vector("weights", &self.weights);
        w.vector("bandwidth", &[self.bandwidth]);
        w.density("frame", &self.normal)?;
        Ok(Description::plain(Self::KIND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn density_is_normalised_and_close_to_a_normal() {
        let mut rng = stream(1, "kde");
        let x = Mat::from_fn(800, 2, |_, j| (1.0 + j as f64) * standard_normal(&mut rng));
        let kde = Kde::fit(Data::new(x.as_ref()), &mut rng).unwrap();
        assert!(
            (0.15..0.6).contains(&kde.bandwidth()),
            "{}",
            kde.bandwidth()
        );
        let side = 200;
        let h = 24.0 / side as f64;
        let grid = Mat::from_fn(side * side, 2, |i, j| {
            -12.0 + h * (if j == 0 { i % side } else { i / side }) as f64
        });
        let total: f64 = kde
            .log_prob(grid.as_ref())
            .iter()
            .map(|&l| exp(l))
            .sum::<f64>()
            * h
            * h;
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        let test = Mat::from_fn(5000, 2, |_, j| (1.0 + j as f64) * standard_normal(&mut rng));
        let nll = -sum(&kde.log_prob(test.as_ref())) / 5000.0;
        let entropy = LN_2PI + 1.0 + ln(2.0);
        assert!(nll - entropy < 0.05, "{}", nll - entropy);
        let draws = kde.sample(5000, &mut rng);
        let nll = -sum(&kde.log_prob(draws.as_ref())) / 5000.0;
        assert!((nll - entropy).abs() < 0.15, "{nll}");
    }

    #[test]
    fn isolated_points_in_many_dimensions_ask_for_a_wide_kernel() {
        // Ten dimensions and heavy tails: many points are so far from the others that, to rounding,
        // only their own kernel counts.
        let mut rng = stream(1, "kde");
        let x = Mat::from_fn(600, 10, |_, _| {
            let (a, b) = (standard_normal(&mut rng), standard_normal(&mut rng));
            a / (0.1 + b.abs())
        });
        let kde = Kde::fit(Data::new(x.as_ref()), &mut rng).unwrap();
        assert!(kde.bandwidth() > 0.3, "{}", kde.bandwidth());
        // The leave-one-out likelihood, summed directly, is highest near the fitted bandwidth.
        let score = |h: f64| {
            let loo = (0..600).map(|i| others(kde.white.as_ref(), i, &kde.log_weights, h));
            loo.sum::<f64>()
        };
        let found = score(kde.bandwidth());
        for factor in [0.3, 0.8, 1.25] {
            assert!(score(factor * kde.bandwidth()) < found, "{factor}");
        }
    }
}
