//! A density on a grid, projected to every pair of coordinates and to each coordinate.

use faer::prelude::*;
use numerics::math::{exp, ln};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Every coordinate of a figure ranges from minus this to plus this, which contains nearly all of
/// each posterior.
pub const WINDOW: f64 = 2.5;
/// Log-densities below are shown as this.
const FLOOR: f64 = -20.0;

/// Log-densities of pairs of coordinates and of single ones at the centres of the cells of a grid over the window.
///
/// In three dimensions the density is summed over the grid's cells along the others: for modes that are wider than a cell, that is
/// their integral to many digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projections {
    /// Cells along each coordinate.
    pub side: usize,
    /// For each pair a < b of coordinates, the first pair with the same a: log-density row by row along b, from the lower left.
    pub planes: Vec<Vec<f32>>,
    /// For each coordinate.
    pub lines: Vec<Vec<f32>>,
}

/// The centre of a cell.
pub fn centre(cell: usize, side: usize) -> f64 {
    WINDOW * ((2 * cell + 1) as f64 / side as f64 - 1.0)
}

/// Pairs of coordinates, in the order of the planes.
pub fn pairs(dim: usize) -> Vec<(usize, usize)> {
    (0..dim)
        .flat_map(|a| (a + 1..dim).map(move |b| (a, b)))
        .collect()
}

impl Projections {
    /// Projects a log-density in two or three dimensions.
    pub fn of(dim: usize, log_prob: &(dyn Fn(MatRef<'_, f64>) -> Vec<f64> + Sync)) -> Self {
        let side: usize = if dim == 2 { 128 } else { 64 };
        let cell = 2.0 * WINDOW / side as f64;
        let at = |k: usize, j: usize| k / side.pow(j as u32) % side;
        let rows = side.pow(dim as u32 - 1);
        // One slab for each cell of the last coordinate, in order.
        let slabs: Vec<Vec<f64>> = (0..side)
            .into_par_iter()
            .map(|s| {
                let points = Mat::from_fn(rows, dim, |i, j| centre(at(s * rows + i, j), side));
                log_prob(points.as_ref()).into_iter().map(exp).collect()
            })
            .collect();
        let density = slabs.concat();
        let planes = pairs(dim).into_iter().map(|(a, b)| {
            let mut plane = vec![0.0; side * side];
            for (k, v) in density.iter().enumerate() {
                plane[at(k, b) * side + at(k, a)] += v * cell.powi(dim as i32 - 2);
            }
            logs(plane)
        });
        let lines = (0..dim).map(|a| {
            let mut line = vec![0.0; side];
            for (k, v) in density.iter().enumerate() {
                line[at(k, a)] += v * cell.powi(dim as i32 - 1);
            }
            logs(line)
        });
        Self {
            side,
            planes: planes.collect(),
            lines: lines.collect(),
        }
    }
}

/// Logarithms, rounded to the precision of figures.
fn logs(values: Vec<f64>) -> Vec<f32> {
    let log = |v: f64| if v > 0.0 { ln(v).max(FLOOR) } else { FLOOR };
    values
        .into_iter()
        .map(|v| ((log(v) * 1e2).round() / 1e2) as f32)
        .collect()
}

/// The log-density above which a share of a plane's mass lies.
pub fn level(plane: &[f32], share: f64) -> f64 {
    let mut logs: Vec<f64> = plane.iter().map(|l| f64::from(*l)).collect();
    logs.sort_unstable_by(|a, b| b.total_cmp(a));
    let total: f64 = logs.iter().map(|l| exp(*l)).sum();
    let mut sum = 0.0;
    for l in &logs {
        sum += exp(*l);
        if sum >= share * total {
            return *l;
        }
    }
    FLOOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use datasets::posterior::Benchmark;
    use numerics::math::normal_log_pdf;

    #[test]
    fn projections_of_a_normal_distribution_are_normal() {
        let scales = [0.3, 0.5, 0.2];
        let log_prob = |x: MatRef<'_, f64>| -> Vec<f64> {
            let one = |i: usize, j: usize| normal_log_pdf(x[(i, j)] / scales[j]) - ln(scales[j]);
            let row = |i| (0..3).map(|j| one(i, j)).sum();
            (0..x.nrows()).map(row).collect()
        };
        let p = Projections::of(3, &log_prob);
        let exact =
            |j: usize, i: usize| normal_log_pdf(centre(i, p.side) / scales[j]) - ln(scales[j]);
        for (plane, (a, b)) in p.planes.iter().zip(pairs(3)) {
            let (i, j) = (35, 30);
            let got = f64::from(plane[j * p.side + i]);
            let exact = exact(a, i) + exact(b, j);
            assert!((got - exact).abs() < 0.006, "{a} {b}: {got}, not {exact}");
        }
        for (j, line) in p.lines.iter().enumerate() {
            let got = f64::from(line[28]);
            assert!((got - exact(j, 28)).abs() < 0.006);
        }
    }

    #[test]
    fn the_window_holds_every_posterior_and_levels_are_those_of_its_regions() {
        for benchmark in Benchmark::ALL {
            let problem = benchmark.problem();
            let p = Projections::of(problem.dim(), &|x| problem.log_posterior(x));
            let cell = 2.0 * WINDOW / p.side as f64;
            let mass: f64 = p.lines[0].iter().map(|l| exp(f64::from(*l)) * cell).sum();
            assert!((mass - 1.0).abs() < 0.01, "{benchmark}: {mass}");
            if problem.dim() == 2 {
                for share in [0.5, 0.9, 0.99] {
                    let (got, exact) = (level(&p.planes[0], share), problem.hdr_level(share));
                    assert!((got - exact).abs() < 0.1, "{benchmark}: {got}, not {exact}");
                }
            }
        }
    }
}
