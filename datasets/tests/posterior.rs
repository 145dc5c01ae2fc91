//! What every exact posterior promises, measured by methods that share nothing with the library's:
//! tensor grids over prior times likelihood, and draws.

use datasets::posterior::{Benchmark, ExactPosterior, InverseProblem, SignDegenerate};
use faer::{Mat, MatRef};
use numerics::math::{exp, ln, ln_sum_exp, mean_and_standard_error, sin, sum};
use numerics::random::stream;
use std::sync::LazyLock;

/// Prior times likelihood on a regular grid, on which the trapezoid rule has converged.
struct Grid {
    points: Mat<f64>,
    /// `ln(prior x likelihood x volume of a cell)`.
    log_terms: Vec<f64>,
    log_cell: f64,
    /// Points in each direction.
    side: usize,
}

impl Grid {
    fn new(problem: &dyn InverseProblem) -> Self {
        let dim = problem.dim();
        let (reach, step) = match dim {
            2 => (3.6, 0.0125),
            _ => (3.2, 0.08),
        };
        // Borders between orthants fall between the points.
        let side = (2.0 * reach / step) as usize;
        let coordinate = |k: usize| 0.5 * step - reach + k as f64 * step;
        let points = Mat::from_fn(side.pow(dim as u32), dim, |i, j| {
            coordinate(i / side.pow(j as u32) % side)
        });
        let log_cell = dim as f64 * ln(step);
        let log_terms = problem
            .log_prior(points.as_ref())
            .iter()
            .zip(problem.log_likelihood(points.as_ref()))
            .map(|(prior, likelihood)| prior + likelihood + log_cell)
            .collect();
        Self {
            points,
            log_terms,
            log_cell,
            side,
        }
    }

    fn log_evidence(&self) -> f64 {
        ln_sum_exp(&self.log_terms)
    }

    /// The grids of all benchmarks.
    fn all() -> impl Iterator<Item = (Benchmark, &'static dyn ExactPosterior, &'static Self)> {
        static GRIDS: LazyLock<Vec<Grid>> =
            LazyLock::new(|| Benchmark::ALL.map(|b| Grid::new(b.problem())).into());
        let problems = Benchmark::ALL.into_iter().map(|b| (b, b.problem()));
        problems
            .zip(GRIDS.iter())
            .map(|((b, problem), grid)| (b, problem, grid))
    }

    /// The integral of `f(i, ln p(theta_i | y))` over the posterior.
    fn mean(&self, f: impl Fn(usize, f64) -> f64) -> f64 {
        let log_evidence = self.log_evidence();
        let terms = self.log_terms.iter().enumerate();
        let terms = terms.map(|(i, t)| {
            let log_mass = t - log_evidence;
            exp(log_mass) * f(i, log_mass - self.log_cell)
        });
        sum(&terms.collect::<Vec<_>>())
    }
}

fn share(of: bool) -> f64 {
    f64::from(u8::from(of))
}

/// The integral of the posterior over each mode.
fn masses_on(grid: &Grid, problem: &dyn ExactPosterior) -> Vec<f64> {
    let modes = problem.mode_of(grid.points.as_ref());
    let mass = |k| grid.mean(|i, _| share(modes[i] == k));
    (0..problem.num_modes()).map(mass).collect()
}

fn row(theta: MatRef<'_, f64>, i: usize) -> Vec<f64> {
    (0..theta.ncols()).map(|j| theta[(i, j)]).collect()
}

fn point(theta: &[f64]) -> Mat<f64> {
    Mat::from_fn(1, theta.len(), |_, j| theta[j])
}

fn log_posterior(problem: &dyn ExactPosterior, theta: &[f64]) -> f64 {
    problem.log_posterior(point(theta).as_ref())[0]
}

fn close(what: &str, (got, error): (f64, f64), expected: f64) {
    assert!(
        (got - expected).abs() < 4.0 * error,
        "{what}: {got} +- {error}, not {expected}"
    );
}

#[test]
fn evidence_by_a_grid_and_by_draws_of_the_prior() {
    for (benchmark, problem, grid) in Grid::all() {
        let (got, exact) = (problem.log_evidence(), grid.log_evidence());
        assert!(
            (got - exact).abs() < 1e-8,
            "{benchmark}: {got}, not {exact}"
        );

        let theta = problem.sample_prior(200_000, &mut stream(21, benchmark.name()));
        let log_likelihood = problem.log_likelihood(theta.as_ref());
        let ratios: Vec<f64> = log_likelihood.iter().map(|l| exp(l - got)).collect();
        close(benchmark.name(), mean_and_standard_error(&ratios), 1.0);
    }
}

#[test]
fn posteriors_integrate_to_one_within_the_window() {
    for (benchmark, problem, grid) in Grid::all() {
        let log_p = problem.log_posterior(grid.points.as_ref());
        let terms: Vec<f64> = log_p.iter().map(|l| exp(l + grid.log_cell)).collect();
        let mass = sum(&terms);
        assert!((mass - 1.0).abs() < 1e-8, "{benchmark}: {mass}");
        let dim = problem.dim();
        let outside = grid.mean(|i, _| share((0..dim).any(|j| grid.points[(i, j)].abs() > 2.5)));
        assert!(outside < 1e-5, "{benchmark}: {outside}");
    }
}

#[test]
fn entropies_and_shares_of_useful_prior_draws_are_those_of_the_docs() {
    let documented = [
        (-0.2876, 0.0325),
        (-0.0764, 0.0309),
        (0.6066, 0.0523),
        (-0.4314, 0.0059),
        (0.5978, 0.0361),
        (0.7479, 0.0217),
    ];
    for ((benchmark, problem, grid), (entropy, efficiency)) in Grid::all().zip(documented) {
        let got = grid.mean(|_, log_p| -log_p);
        assert!((got - entropy).abs() < 1e-4, "{benchmark}: entropy {got}");
        let prior = problem.log_prior(grid.points.as_ref());
        let got = 1.0 / grid.mean(|i, log_p| exp(log_p - prior[i]));
        assert!((got - efficiency).abs() < 1e-4, "{benchmark}: ESS/N {got}");
    }
}

#[test]
fn masses_are_those_of_the_partition() {
    for (benchmark, problem, grid) in Grid::all() {
        let masses = problem.mode_masses();
        assert_eq!(masses.len(), problem.num_modes());
        assert!((sum(&masses) - 1.0).abs() < 1e-15);
        for (got, exact) in masses.iter().zip(masses_on(grid, problem)) {
            assert!(
                (got - exact).abs() < 5e-7,
                "{benchmark}: {got}, not {exact}"
            );
        }
    }
}

#[test]
fn the_region_of_highest_density_falls_apart_into_the_modes() {
    for (benchmark, problem, grid) in Grid::all() {
        let level = problem.hdr_level(0.999);
        let dim = problem.dim() as u32;
        let mut inside: Vec<bool> = problem
            .log_posterior(grid.points.as_ref())
            .iter()
            .map(|&l| l >= level)
            .collect();
        let modes = problem.mode_of(grid.points.as_ref());
        let mut seen = vec![0; problem.num_modes()];
        for start in 0..inside.len() {
            if !inside[start] {
                continue;
            }
            seen[modes[start]] += 1;
            let mut open = vec![start];
            inside[start] = false;
            while let Some(i) = open.pop() {
                assert_eq!(modes[i], modes[start], "{benchmark}: a bridge");
                for j in 0..dim {
                    let stride = grid.side.pow(j);
                    for next in [i - stride, i + stride] {
                        if std::mem::take(&mut inside[next]) {
                            open.push(next);
                        }
                    }
                }
            }
        }
        assert_eq!(seen, vec![1; problem.num_modes()], "{benchmark}");
    }
}

#[test]
fn draws_have_the_masses_the_moments_and_the_entropy_of_the_density() {
    let n = 20_000;
    for (benchmark, problem, grid) in Grid::all() {
        let dim = problem.dim();
        let theta = problem.sample_posterior(n, &mut stream(22, benchmark.name()));
        let mut counts = vec![0.0; problem.num_modes()];
        for k in problem.mode_of(theta.as_ref()) {
            counts[k] += 1.0;
        }
        for (count, mass) in counts.iter().zip(problem.mode_masses()) {
            let sd = (mass * (1.0 - mass) / n as f64).sqrt();
            close(benchmark.name(), (count / n as f64, sd), mass);
        }

        // Waves see structure of their length in every direction.
        let wave = |x: &Mat<f64>, i: usize, k: usize| {
            let k = k as f64;
            let phase: f64 = (0..dim)
                .map(|j| sin(2.0 * k + 3.0 * j as f64) * x[(i, j)])
                .sum();
            sin(k + (1.0 + k) * phase)
        };
        for k in 0..16 {
            let values: Vec<f64> = (0..n).map(|i| wave(&theta, i, k)).collect();
            let exact = grid.mean(|i, _| wave(&grid.points, i, k));
            close(benchmark.name(), mean_and_standard_error(&values), exact);
        }

        let log_p = problem.log_posterior(theta.as_ref());
        let nll: Vec<f64> = log_p.iter().map(|l| -l).collect();
        let entropy = grid.mean(|_, log_p| -log_p);
        close(benchmark.name(), mean_and_standard_error(&nll), entropy);
    }
}

#[test]
fn draws_on_the_plane_fill_cells_in_proportion_to_their_mass() {
    const CELL: f64 = 0.1;
    let n = 100_000;
    for (benchmark, problem, grid) in Grid::all().filter(|(_, p, _)| p.dim() == 2) {
        let cell = |x: &Mat<f64>, i: usize| {
            let index = |j: usize| ((x[(i, j)] + 3.6) / CELL).clamp(0.0, 71.5) as usize;
            72 * index(0) + index(1)
        };
        let log_p = problem.log_posterior(grid.points.as_ref());
        let mut expected = vec![0.0; 72 * 72];
        for (i, l) in log_p.iter().enumerate() {
            expected[cell(&grid.points, i)] += n as f64 * exp(l + grid.log_cell);
        }
        let theta = problem.sample_posterior(n, &mut stream(23, benchmark.name()));
        let mut seen = vec![0.0; 72 * 72];
        for i in 0..n {
            seen[cell(&theta, i)] += 1.0;
        }
        // Cells that expect fewer than ten go together.
        let (mut chi2, mut cells) = (0.0, 0.0);
        let (mut rest_seen, mut rest_expected) = (n as f64, n as f64);
        for (e, s) in expected.iter().zip(&seen) {
            if *e >= 10.0 {
                chi2 += (s - e) * (s - e) / e;
                cells += 1.0;
                rest_seen -= s;
                rest_expected -= e;
            }
        }
        chi2 += (rest_seen - rest_expected) * (rest_seen - rest_expected) / rest_expected;
        let z = (chi2 - cells) / (2.0_f64 * cells).sqrt();
        assert!(
            z.abs() < 4.0,
            "{benchmark}: chi2 {chi2} for {cells} degrees of freedom"
        );
    }
}

#[test]
fn levels_hold_their_share() {
    for (benchmark, problem, grid) in Grid::all() {
        let level = problem.hdr_level(0.999);
        let mass = grid.mean(|_, log_p| share(log_p >= level));
        // In space the grid is coarse beside the border.
        let tolerance = if problem.dim() == 2 { 1e-5 } else { 1e-4 };
        assert!((mass - 0.999).abs() < tolerance, "{benchmark}: {mass}");

        let n = 400_000;
        let theta = problem.sample_posterior(n, &mut stream(24, benchmark.name()));
        let log_p = problem.log_posterior(theta.as_ref());
        let mut above = f64::INFINITY;
        for wanted in [0.01, 0.2, 0.5, 0.9, 0.999] {
            let level = problem.hdr_level(wanted);
            assert!(level < above);
            above = level;
            let got = log_p.iter().filter(|&&l| l >= level).count() as f64 / n as f64;
            let sd = (wanted * (1.0 - wanted) / n as f64).sqrt();
            close(benchmark.name(), (got, sd), wanted);
        }
        assert!(problem.hdr_level(1.0 - 1e-15).is_finite());
        assert!(problem.hdr_level(1e-15).is_finite());
    }
}

#[test]
fn signs_and_rotations_change_no_bit() {
    for benchmark in [Benchmark::FourSigns, Benchmark::EightSigns] {
        let problem = benchmark.problem();
        let dim = problem.dim();
        assert_eq!(
            problem.mode_masses(),
            vec![1.0 / f64::from(1 << dim); 1 << dim]
        );
        let theta = problem.sample_prior(50, &mut stream(25, benchmark.name()));
        for i in 0..50 {
            let theta = row(theta.as_ref(), i);
            let here = log_posterior(problem, &theta);
            for mode in 0..1 << dim {
                let sign = |j: usize| if mode >> j & 1 == 1 { -1.0 } else { 1.0 };
                let image: Vec<f64> = (0..dim).map(|j| sign(j) * theta[j].abs()).collect();
                assert_eq!(log_posterior(problem, &image), here);
                assert_eq!(problem.mode_of(point(&image).as_ref()), [mode]);
            }
        }
    }
    let ring = Benchmark::RingAndBall.problem();
    let [a, b, z] = [0.7, -1.1, -0.4];
    let here = log_posterior(ring, &[a, b, z]);
    for image in [[b, a, z], [-a, b, z], [a, -b, z], [-b, -a, z]] {
        assert!((log_posterior(ring, &image) - here).abs() < 1e-14 * here.abs());
    }
}

#[test]
fn posteriors_of_any_observation() {
    for (y, sigma, modes) in [
        (vec![1.0, 1.0], 0.25, 4),
        (vec![2.5, 0.4], 0.3, 4),
        (vec![1.5, -0.5], 0.25, 2),
        (vec![-0.3, 0.1], 0.25, 2),
        (vec![-1.0, -2.0], 0.5, 1),
        (vec![0.02, 0.03], 0.25, 1),
        (vec![0.5, -0.2, 1.2], 0.4, 4),
        (vec![-0.1, -0.2, -0.3], 0.4, 1),
    ] {
        let what = format!("{y:?}");
        let problem = SignDegenerate {
            dim: y.len(),
            sigma,
        }
        .posterior(&y);
        assert_eq!(problem.observation(), y);
        assert_eq!(problem.num_modes(), modes, "{what}");
        let grid = Grid::new(&problem);
        let evidence = problem.log_evidence();
        assert!((evidence - grid.log_evidence()).abs() < 1e-8, "{what}");
        for (got, exact) in problem.mode_masses().iter().zip(masses_on(&grid, &problem)) {
            assert!((got - exact).abs() < 1e-8, "{what}: {got}, not {exact}");
        }

        let n = 50_000;
        let theta = problem.sample_posterior(n, &mut stream(26, &what));
        let log_p = problem.log_posterior(theta.as_ref());
        let nll: Vec<f64> = log_p.iter().map(|l| -l).collect();
        let entropy = grid.mean(|_, log_p| -log_p);
        close(&what, mean_and_standard_error(&nll), entropy);
        for j in 0..y.len() {
            for power in 1..=4 {
                let moment = |x: &Mat<f64>, i: usize| x[(i, j)].powi(power);
                let values: Vec<f64> = (0..n).map(|i| moment(&theta, i)).collect();
                let exact = grid.mean(|i, _| moment(&grid.points, i));
                close(&what, mean_and_standard_error(&values), exact);
            }
        }
        for wanted in [0.05, 0.5, 0.999] {
            let level = problem.hdr_level(wanted);
            let got = log_p.iter().filter(|&&l| l >= level).count() as f64 / n as f64;
            let sd = (wanted * (1.0 - wanted) / n as f64).sqrt();
            close(&what, (got, sd), wanted);
        }
    }
}

#[test]
fn one_coordinate_and_distant_observations() {
    for y in [-400.0, -3.0, 0.0, 0.031, 0.032, 0.5, 9.0, 400.0] {
        let problem = SignDegenerate {
            dim: 1,
            sigma: 0.25,
        }
        .posterior(&[y]);
        let n = 20_000;
        let theta = problem.sample_posterior(n, &mut stream(27, "one"));
        let log_p = problem.log_posterior(theta.as_ref());
        assert!(log_p.iter().all(|l| l.is_finite()));
        for wanted in [0.001, 0.3, 0.999] {
            let level = problem.hdr_level(wanted);
            let got = log_p.iter().filter(|&&l| l >= level).count() as f64 / n as f64;
            let sd = (wanted * (1.0 - wanted) / n as f64).sqrt();
            close(&y.to_string(), (got, sd), wanted);
        }
    }
}

#[test]
fn the_simulator_and_its_posteriors_belong_together() {
    let simulator = SignDegenerate { dim: 2, sigma: 0.3 };
    let n = 1000;
    let theta = simulator.sample_prior(n, &mut stream(28, "theta"));
    let y = simulator.simulate(theta.as_ref(), &mut stream(28, "noise"));
    let noise: Vec<f64> = (0..2 * n)
        .map(|k| {
            let (i, j) = (k / 2, k % 2);
            (y[(i, j)] - theta[(i, j)] * theta[(i, j)]) / simulator.sigma
        })
        .collect();
    close("mean", mean_and_standard_error(&noise), 0.0);
    let squares: Vec<f64> = noise.iter().map(|e| e * e).collect();
    close("variance", mean_and_standard_error(&squares), 1.0);

    // Half of the truths are in the half of highest density, whatever was observed.
    let mut inside = 0.0;
    for i in 0..400 {
        let posterior = simulator.posterior(&row(y.as_ref(), i));
        let truth = theta.as_ref().subrows(i, 1);
        inside += share(posterior.log_posterior(truth)[0] >= posterior.hdr_level(0.5));
    }
    close("coverage", (inside / 400.0, 0.025), 0.5);
}

#[test]
fn samples_repeat_and_extend() {
    for benchmark in Benchmark::ALL {
        let problem = benchmark.problem();
        let prior = |n, seed| problem.sample_prior(n, &mut stream(seed, "data"));
        let posterior = |n, seed| problem.sample_posterior(n, &mut stream(seed, "data"));
        for draw in [&prior as &dyn Fn(usize, u64) -> Mat<f64>, &posterior] {
            assert_eq!(draw(0, 1).shape(), (0, problem.dim()));
            assert_eq!(draw(50, 1), draw(50, 1));
            assert_eq!(draw(50, 1), draw(80, 1).as_ref().subrows(0, 50));
            assert_ne!(draw(50, 1), draw(50, 2));
        }
        assert!(problem.log_posterior(prior(0, 1).as_ref()).is_empty());
        assert!(problem.mode_of(prior(0, 1).as_ref()).is_empty());
    }
}

#[test]
fn densities_at_the_edges_of_the_numbers() {
    for benchmark in Benchmark::ALL {
        let problem = benchmark.problem();
        let dim = problem.dim();
        for j in 0..dim {
            let at = |value: f64| {
                let mut theta = vec![0.3; dim];
                theta[j] = value;
                let theta = point(&theta);
                let mode = problem.mode_of(theta.as_ref())[0];
                assert!(mode < problem.num_modes());
                problem.log_posterior(theta.as_ref())[0]
            };
            assert!(at(f64::NAN).is_nan());
            for huge in [1e200, f64::MAX, f64::INFINITY] {
                assert_eq!(at(huge), f64::NEG_INFINITY, "{benchmark}");
                assert_eq!(at(-huge), f64::NEG_INFINITY, "{benchmark}");
            }
            for fine in [0.0, -0.0, 1e-300, 1e-8, 30.0, 1e10, 1e40] {
                assert!(at(fine).is_finite(), "{benchmark}");
            }
        }
    }
}

#[test]
fn first_draws_and_levels_are_locked() {
    // The bits behind every number of every report.
    let locked: [[u64; 4]; 6] = [
        [
            0xbff1_6117_8033_1ae3,
            0xbff0_db22_d9a7_ffae,
            0x3fe3_b8de_a1c8_5458,
            0xc017_cfe2_68d0_911d,
        ],
        [
            0xbffb_9b1d_c59a_5596,
            0x3fb2_a6e0_0439_992e,
            0xbfe1_0092_fdc9_dc20,
            0xc017_ee71_ce58_54a6,
        ],
        [
            0xbff0_e66a_3db6_58da,
            0xbff8_4e21_54f1_5b16,
            0xbfec_0a21_278e_7058,
            0xc01a_8998_e8ec_2756,
        ],
        [
            0x3ff0_92f8_f66b_1606,
            0xbff0_a8f6_ee00_0d91,
            0x3ffa_946c_4ad6_b32e,
            0xc01a_507e_2720_8252,
        ],
        [
            0xbff1_0c6a_2393_11b4,
            0x3fe0_fc87_bd91_2a6e,
            0xbffc_cf06_7dcd_b39c,
            0xc01b_01f4_5bb8_4229,
        ],
        [
            0x3ff1_48c5_b17e_6dd4,
            0x3fee_08e4_60f9_2b5c,
            0xbfea_e240_da90_7dd8,
            0xc01d_b253_d7b6_1ade,
        ],
    ];
    let got = Benchmark::ALL.map(|benchmark| {
        let problem = benchmark.problem();
        let theta = problem.sample_posterior(3, &mut stream(2025, "golden"));
        let log_p = problem.log_posterior(theta.as_ref());
        let level = problem.hdr_level(0.999);
        [theta[(2, 0)], theta[(2, 1)], log_p[2], level].map(f64::to_bits)
    });
    assert_eq!(got, locked, "{got:#x?}");
}

#[test]
#[should_panic(expected = "a row has 2 values")]
fn a_row_of_another_length_is_refused() {
    let _ = Benchmark::Crescents
        .problem()
        .log_posterior(point(&[0.0; 3]).as_ref());
}

#[test]
#[should_panic(expected = "a share of the mass is between 0 and 1, not 1")]
fn there_is_no_level_for_everything() {
    let _ = Benchmark::FourSigns.problem().hdr_level(1.0);
}

#[test]
#[should_panic(expected = "within 1e9 sigma")]
fn an_observation_that_is_no_number_is_refused() {
    let simulator = SignDegenerate { dim: 1, sigma: 0.2 };
    let _ = simulator.posterior(&[f64::NAN]);
}

#[test]
fn levels_in_many_dimensions() {
    let y: Vec<f64> = (0..16).map(|j| 0.1 * f64::from(j) - 0.2).collect();
    let problem = SignDegenerate {
        dim: 16,
        sigma: 0.3,
    }
    .posterior(&y);
    assert_eq!(problem.num_modes(), 1 << 13);
    let n = 20_000;
    let theta = problem.sample_posterior(n, &mut stream(29, "many"));
    let log_p = problem.log_posterior(theta.as_ref());
    for wanted in [0.1, 0.5, 0.999] {
        let level = problem.hdr_level(wanted);
        let got = log_p.iter().filter(|&&l| l >= level).count() as f64 / n as f64;
        close(
            "many",
            (got, (wanted * (1.0 - wanted) / n as f64).sqrt()),
            wanted,
        );
    }
}
