//! Log-score stacking: EM, then Newton steps on the active set.

use super::points::Points;
use numerics::linalg::solve_positive_definite;
use numerics::math::dot;

/// EM steps before Newton takes over.
const EM_STEPS: usize = 20;

/// Maximises the mean log-score over the simplex: the weights, and the iterations done.
pub(super) fn stack(points: &Points, tolerance: f64, max_iterations: usize) -> (Vec<f64>, usize) {
    let k = points.relative.ncols();
    let mut pi = vec![1.0 / k as f64; k];
    let mut quotients = Vec::new();
    for iteration in 0..max_iterations {
        let gains = points.gains(&pi, &mut quotients);
        let optimality_gap = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max) - 1.0;
        if optimality_gap <= tolerance {
            // Weights on their way to zero.
            let clean = pi.iter().map(|p| if *p < 1e-12 { 0.0 } else { *p });
            return (normalised(clean.collect()), iteration);
        }
        let newton = (iteration >= EM_STEPS)
            .then(|| newton_step(points, &pi, &gains, &quotients))
            .flatten();
        pi = newton.unwrap_or_else(|| {
            let next: Vec<f64> = pi.iter().zip(&gains).map(|(p, g)| p * g).collect();
            // EM cannot move a weight from zero: one that Newton set to zero and that would grow is
            // restarted.
            let seeded = next
                .iter()
                .zip(&gains)
                .map(|(p, g)| if *p == 0.0 && *g > 1.0 { 1e-6 } else { *p });
            normalised(seeded.collect())
        });
    }
    (pi, max_iterations)
}

pub(super) fn normalised(mut pi: Vec<f64>) -> Vec<f64> {
    let total: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|p| *p /= total);
    pi
}

/// One Newton step for `F(x) = mean_n ln (R x)_n - sum_k x_k` over x >= 0, whose maximum lies on
/// the simplex (the form of stacking in Kim, Carbonetto, Stephens and Anitescu 2020,
/// doi:10.1080/10618600.2019.1689985).
///
/// Weights at zero whose gain is at most 1 stay there. The step ends where the first weight reaches
/// zero, and is halved until the objective rises. `None` when no such step helps.
fn newton_step(points: &Points, pi: &[f64], gains: &[f64], quotients: &[f64]) -> Option<Vec<f64>> {
    let free: Vec<usize> = (0..pi.len())
        .filter(|&k| pi[k] > 1e-12 || gains[k] > 1.0)
        .collect();
    let m = free.len();
    // Hessian of -F: sum_n w_n r_nj r_nk / s_n^2 = sum_n (w_n / s_n)^2 / w_n r_nj r_nk.
    let mut hessian = vec![0.0; m * m];
    let (mut curvature, mut scaled) = (Vec::new(), Vec::new());
    for tile in points.tiles() {
        curvature.clear();
        let pairs = quotients[tile.clone()]
            .iter()
            .zip(&points.weights[tile.clone()]);
        curvature.extend(pairs.map(|(q, w)| if *w == 0.0 { 0.0 } else { q * q / w }));
        for a in 0..m {
            scaled.clear();
            let own = points.relative(free[a], &tile).iter().zip(&curvature);
            scaled.extend(own.map(|(r, c)| r * c));
            for b in 0..=a {
                hessian[a * m + b] += dot(&scaled, points.relative(free[b], &tile));
            }
        }
    }
    for a in 0..m {
        for b in 0..a {
            hessian[b * m + a] = hessian[a * m + b];
        }
    }
    let trace: f64 = (0..m).map(|a| hessian[a * m + a]).sum();
    for a in 0..m {
        // Experts that agree everywhere make the Hessian singular.
        hessian[a * m + a] += 1e-12 * trace;
    }
    let gradient: Vec<f64> = free.iter().map(|&k| gains[k] - 1.0).collect();
    let step = solve_positive_definite(hessian, gradient)?;
    let mut reach = 1.0f64;
    let mut blocking = None;
    for (&k, s) in free.iter().zip(&step) {
        if pi[k] + s < 0.0 && pi[k] / -s < reach {
            reach = pi[k] / -s;
            blocking = Some(k);
        }
    }
    let before = points.objective(pi);
    for _ in 0..30 {
        let mut next = pi.to_vec();
        for (&k, s) in free.iter().zip(&step) {
            next[k] = (next[k] + reach * s).max(0.0);
        }
        if let Some(k) = blocking {
            next[k] = 0.0;
        }
        let next = normalised(next);
        if next.iter().all(|p| p.is_finite()) && points.objective(&next) > before {
            return Some(next);
        }
        reach *= 0.5;
        blocking = None;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::WeightData;
    use super::super::testing::{STACKING, learn, table};
    use super::*;
    use faer::Mat;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn stacking_reaches_its_optimality_gap_and_no_neighbour_is_better() {
        for seed in 0..30 {
            let k = 2 + (seed as usize % 9);
            let t = table(300, k, seed);
            let learned = learn(STACKING, &t);
            assert!(learned.optimality_gap <= 1e-10, "seed {seed}: {learned:?}");
            let points = Points::new(t, None).unwrap();
            let best = points.objective(&learned.pi);
            let mut rng = stream(seed, "neighbours");
            for _ in 0..100 {
                let other: Vec<f64> = learned
                    .pi
                    .iter()
                    .map(|p| (p + 0.1 * standard_normal(&mut rng)).max(0.0))
                    .collect();
                if other.iter().sum::<f64>() > 0.0 {
                    assert!(points.objective(&normalised(other)) <= best + 1e-10);
                }
            }
        }
    }

    #[test]
    fn stacking_finds_corners_and_known_interior_optima() {
        // One expert better at every point: all weight on it.
        let t = Mat::from_fn(50, 3, |i, k| -(k as f64) - 0.01 * i as f64);
        let learned = learn(STACKING, &t);
        assert_eq!(learned.pi, [1.0, 0.0, 0.0]);
        assert_eq!(learned.n_eff, 1.0);
        // Disjoint supports: weights are the shares of the points.
        let t = Mat::from_fn(10, 2, |i, k| {
            if (i < 3) == (k == 0) {
                0.0
            } else {
                f64::NEG_INFINITY
            }
        });
        let learned = learn(STACKING, &t);
        assert!((learned.pi[0] - 0.3).abs() < 1e-9, "{learned:?}");
    }

    #[test]
    fn stacking_copes_with_identical_experts_and_with_weights() {
        let one = table(200, 1, 4);
        let t = Mat::from_fn(200, 3, |i, k| {
            if k == 2 {
                one[(199 - i, 0)]
            } else {
                one[(i, 0)]
            }
        });
        assert!(learn(STACKING, &t).optimality_gap <= 1e-10);
        // Integer weights equal repeated rows.
        let t = table(60, 3, 5);
        let w: Vec<f64> = (0..60).map(|i| f64::from(i % 3)).collect();
        let ids: Vec<usize> = (0..60).flat_map(|i| vec![i; i % 3]).collect();
        let repeated = numerics::matrix::select_rows(t.as_ref(), &ids);
        let a = STACKING
            .learn(
                &WeightData::HeldOut {
                    table: t.as_ref(),
                    weights: Some(&w),
                },
                1,
            )
            .unwrap();
        let b = learn(STACKING, &repeated);
        for (a, b) in a.pi.iter().zip(&b.pi) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
