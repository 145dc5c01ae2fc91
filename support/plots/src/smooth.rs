//! Densities on grids, from many draws: histograms under a small Gaussian kernel.

use numerics::math::exp;

/// The width of the bulk of a sample: the standard deviation of a normal whose densest quarter is
/// equally wide.
///
/// With several narrow modes it is about the width of one; the standard deviation would measure the
/// distance between them.
pub(crate) fn scale(sorted: &[f64]) -> f64 {
    /// Width of the densest quarter of the standard normal.
    const QUARTER: f64 = 0.637_3;
    let step = sorted.len() / 4;
    let widths = sorted.iter().zip(&sorted[step..]).map(|(a, b)| b - a);
    widths.fold(f64::INFINITY, f64::min) / QUARTER
}

/// Counts of a grid of `bins` cells over a window, smoothed by a Gaussian of standard deviation
/// `width`; per unit of x.
pub(crate) fn line(x: &[f64], window: (f64, f64), bins: usize, width: f64) -> Vec<f64> {
    let cell = (window.1 - window.0) / bins as f64;
    let mut counts = vec![0.0; bins];
    for v in x {
        if let Some(i) = cell_of(*v, window, bins) {
            counts[i] += 1.0 / (x.len() as f64 * cell);
        }
    }
    convolve(&counts, &kernel(width / cell))
}

/// The share of draws in each cell of a grid of `side` x `side` over two windows, row (of y) by
/// row, smoothed likewise.
pub(crate) fn plane(
    (x, y): (&[f64], &[f64]),
    windows: [(f64, f64); 2],
    side: usize,
    widths: [f64; 2],
) -> Vec<f64> {
    let mut shares = vec![0.0; side * side];
    for (a, b) in x.iter().zip(y) {
        if let (Some(i), Some(j)) = (cell_of(*a, windows[0], side), cell_of(*b, windows[1], side)) {
            shares[j * side + i] += 1.0 / x.len() as f64;
        }
    }
    let kernels: Vec<Vec<f64>> = windows
        .iter()
        .zip(widths)
        .map(|(w, width)| kernel(width * side as f64 / (w.1 - w.0)))
        .collect();
    let rows = shares
        .chunks(side)
        .flat_map(|row| convolve(row, &kernels[0]));
    let rows: Vec<f64> = rows.collect();
    let mut out = vec![0.0; side * side];
    for i in 0..side {
        let column: Vec<f64> = (0..side).map(|j| rows[j * side + i]).collect();
        for (j, v) in convolve(&column, &kernels[1]).into_iter().enumerate() {
            out[j * side + i] = v;
        }
    }
    out
}

/// The level above which the densest cells hold a share of the total; mass outside of the window
/// counts as least dense.
pub(crate) fn level(shares: &[f64], share: f64) -> f64 {
    let mut sorted = shares.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut held = 0.0;
    let last = sorted.iter().find(|v| {
        held += **v;
        held >= share
    });
    last.or(sorted.last()).copied().unwrap_or_default()
}

/// The cell that a value falls into.
pub(crate) fn cell_of(v: f64, window: (f64, f64), cells: usize) -> Option<usize> {
    let t = (v - window.0) / (window.1 - window.0);
    (0.0..1.0)
        .contains(&t)
        .then(|| ((t * cells as f64) as usize).min(cells - 1))
}

/// Half of a Gaussian's weights, from the centre outwards; all of them sum to one.
fn kernel(deviation: f64) -> Vec<f64> {
    let reach = (4.0 * deviation).ceil() as usize;
    let weight = |k: usize| {
        let z = k as f64 / deviation.max(1e-9);
        exp(-0.5 * z * z)
    };
    let half: Vec<f64> = (0..=reach).map(weight).collect();
    let total = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.into_iter().map(|w| w / total).collect()
}

/// Values beyond the ends count as zero.
fn convolve(values: &[f64], half: &[f64]) -> Vec<f64> {
    let mut out: Vec<f64> = values.iter().map(|v| half[0] * v).collect();
    for (k, w) in half.iter().enumerate().skip(1) {
        for i in k..values.len() {
            out[i] += w * values[i - k];
            out[i - k] += w * values[i];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::normal_quantile;

    /// Evenly spaced quantiles of the standard normal.
    fn normal(n: usize) -> Vec<f64> {
        let at = |i: usize| normal_quantile((i as f64 + 0.5) / n as f64);
        (0..n).map(at).collect()
    }

    #[test]
    fn the_scale_of_a_normal_and_of_two_far_ones() {
        let x = normal(4000);
        assert!((scale(&x) - 1.0).abs() < 0.01, "{}", scale(&x));
        let mut two: Vec<f64> = x.iter().flat_map(|v| [v - 50.0, v + 50.0]).collect();
        two.sort_by(f64::total_cmp);
        assert!((scale(&two) - 2.1).abs() < 0.1, "{}", scale(&two));
    }

    #[test]
    fn a_smoothed_normal_is_a_wider_normal() {
        let (bins, window) = (200, (-6.0, 6.0));
        let density = line(&normal(100_000), window, bins, 0.75);
        let cell = 12.0 / bins as f64;
        let total: f64 = density.iter().map(|p| p * cell).sum();
        assert!((total - 1.0).abs() < 1e-3, "{total}");
        for (i, p) in density.iter().enumerate() {
            let z = (-6.0 + cell * (i as f64 + 0.5)) / 1.25;
            let exact = 0.398_942_28 / 1.25 * exp(-0.5 * z * z);
            assert!((p - exact).abs() < 2e-3, "{z}: {p}, not {exact}");
        }
    }

    #[test]
    fn regions_of_highest_density_of_a_disc() {
        // A grid of normal quantiles in both coordinates: 2-D normal, whose region of share s has
        // radius^2 -2 ln(1 - s).
        let q = normal(300);
        let x: Vec<f64> = (0..90_000).map(|k| q[k % 300]).collect();
        let y: Vec<f64> = (0..90_000).map(|k| q[k / 300]).collect();
        let (side, window) = (120, (-5.0, 5.0));
        let shares = plane((&x, &y), [window, window], side, [0.3, 0.3]);
        for share in [0.5, 0.9] {
            let level = level(&shares, share);
            let area = shares.iter().filter(|v| **v >= level).count() as f64;
            let area = area * (10.0 / side as f64) * (10.0 / side as f64);
            let exact = -2.0 * numerics::math::ln(1.0 - share) * std::f64::consts::PI * 1.09;
            assert!(
                (area / exact - 1.0).abs() < 0.03,
                "{share}: {area}, not {exact}"
            );
        }
    }
}
