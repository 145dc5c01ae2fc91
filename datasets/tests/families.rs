//! What every family promises: a normalised density, draws that follow it, and the published
//! entropies.

use datasets::Family;
use faer::Mat;
use numerics::math::{exp, mean_and_standard_error, sin, sum};
use numerics::random::stream;

/// Rectangles that hold all but 1e-15 of the mass, and steps at which the trapezoid rule has
/// converged: set here apart from those of the library.
fn grid(family: Family) -> ([(f64, f64); 2], f64) {
    match family {
        Family::Banana => ([(-12.2, 12.0), (-8.5, 40.0)], 0.06),
        Family::XShape => ([(-12.5, 12.5); 2], 0.06),
        Family::Bimodal => ([(-11.5, 8.5), (-6.5, 8.5)], 0.05),
        Family::FiveMode => ([(-8.5, 11.0), (-9.0, 11.5)], 0.06),
        Family::TwoMoons => ([(-1.9, 2.9), (-1.4, 1.9)], 0.011),
        Family::Rings => ([(-3.41, 3.41); 2], 0.011),
        Family::BimodalShared => ([(-8.5, 8.5), (-7.0, 7.0)], 0.06),
        Family::ThreeMode => ([(-7.0, 7.0), (-6.0, 7.5)], 0.05),
    }
}

/// The points of a regular grid, `n x 2`, the second coordinate fastest.
fn points(rectangle: [(f64, f64); 2], step: f64) -> Mat<f64> {
    let count = |(lo, hi): (f64, f64)| ((hi - lo) / step) as usize + 1;
    let (nx, ny) = (count(rectangle[0]), count(rectangle[1]));
    Mat::from_fn(nx * ny, 2, |i, d| {
        let k = if d == 0 { i / ny } else { i % ny };
        rectangle[d].0 + k as f64 * step
    })
}

/// `integral f(x, ln p(x)) p(x) dx` of several functions at once.
fn integrals<const K: usize>(family: Family, f: impl Fn([f64; 2], f64) -> [f64; K]) -> [f64; K] {
    let (rectangle, step) = grid(family);
    let x = points(rectangle, step);
    let mut terms = vec![Vec::with_capacity(x.nrows()); K];
    for (i, log_p) in family.log_prob(x.as_ref()).into_iter().enumerate() {
        for (terms, value) in terms.iter_mut().zip(f([x[(i, 0)], x[(i, 1)]], log_p)) {
            terms.push(value * exp(log_p));
        }
    }
    std::array::from_fn(|k| sum(&terms[k]) * step * step)
}

#[test]
fn densities_integrate_to_one() {
    for family in Family::ALL {
        let [mass] = integrals(family, |_, _| [1.0]);
        assert!((mass - 1.0).abs() < 1e-10, "{family}: {mass}");
    }
}

#[test]
fn entropies_are_those_of_an_independent_grid_and_of_the_literature() {
    const MILLINATS: [i32; Family::ALL.len()] = [3194, 3142, 2786, 3230, 1007, 2102, 2936, 2743];
    for (family, millinats) in Family::ALL.into_iter().zip(MILLINATS) {
        let entropy = family.entropy();
        let [other] = integrals(family, |_, log_p| [-log_p]);
        assert!(entropy.error < 1e-6, "{family}: {entropy:?}");
        assert!(
            (entropy.value - other).abs() < 1e-11,
            "{family}: {entropy:?}, {other}"
        );
        assert!(
            (entropy.value - f64::from(millinats) / 1000.0).abs() < 0.0025,
            "{family}: {entropy:?}"
        );
        assert_eq!(entropy, family.entropy());
    }
}

#[test]
fn windows_hold_the_mass() {
    for family in Family::ALL {
        let [x, y] = family.bounds();
        let inside = |v: f64, (lo, hi): (f64, f64)| f64::from(u8::from(lo < v && v < hi));
        let [mass] = integrals(family, |p, _| [inside(p[0], x) * inside(p[1], y)]);
        assert!(mass > 0.999, "{family}: {mass}");
    }
}

#[test]
fn draws_have_the_moments_and_the_entropy_of_the_density() {
    let n = 100_000;
    for family in Family::ALL {
        // Fourier terms see structure that low moments do not.
        let functions = |[a, b]: [f64; 2]| {
            let wave = |t: f64| sin(3.0 * t);
            [
                a,
                b,
                a * a,
                b * b,
                a * b,
                a * a * b,
                wave(a + 0.3 * b),
                wave(2.0 * b - a),
            ]
        };
        let expected = integrals(family, |p, _| functions(p));
        let x = family.sample(n, &mut stream(11, family.name()));
        let log_p = family.log_prob(x.as_ref());
        let check = |what: &str, values: &[f64], expected: f64| {
            let (mean, error) = mean_and_standard_error(values);
            assert!(
                (mean - expected).abs() < 4.0 * error,
                "{family}, {what}: {mean} +- {error}, not {expected}"
            );
        };
        for (k, &expected) in expected.iter().enumerate() {
            let values: Vec<f64> = (0..n)
                .map(|i| functions([x[(i, 0)], x[(i, 1)]])[k])
                .collect();
            check(&format!("moment {k}"), &values, expected);
        }
        let nll: Vec<f64> = log_p.iter().map(|v| -v).collect();
        check("entropy", &nll, family.entropy().value);
    }
}

#[test]
fn draws_fill_cells_in_proportion_to_their_mass() {
    const SIDE: usize = 24;
    let n = 100_000;
    for family in Family::ALL {
        let window = family.bounds();
        let cell = |p: [f64; 2]| {
            let index = |d: usize| {
                let (lo, hi) = window[d];
                let t = (p[d] - lo) / (hi - lo);
                (0.0..1.0)
                    .contains(&t)
                    .then_some((t * SIDE as f64) as usize)
            };
            Some(index(0)? * SIDE + index(1)?)
        };
        // Midpoints of 20 x 20 parts of each cell: the edges of cells fall between the points.
        let parts = 20 * SIDE;
        let side = window.map(|(lo, hi)| (hi - lo) / parts as f64);
        let middle = |d: usize, k: usize| window[d].0 + (k as f64 + 0.5) * side[d];
        let x = Mat::from_fn(parts * parts, 2, |i, d| {
            middle(d, if d == 0 { i / parts } else { i % parts })
        });
        let mut expected = vec![0.0; SIDE * SIDE];
        for (i, log_p) in family.log_prob(x.as_ref()).into_iter().enumerate() {
            let at = cell([x[(i, 0)], x[(i, 1)]]).unwrap();
            expected[at] += n as f64 * exp(log_p) * side[0] * side[1];
        }
        let mut seen = vec![0.0; SIDE * SIDE];
        let draws = family.sample(n, &mut stream(12, family.name()));
        for i in 0..n {
            if let Some(at) = cell([draws[(i, 0)], draws[(i, 1)]]) {
                seen[at] += 1.0;
            }
        }
        // Cells that expect fewer than ten go together with what is outside the window.
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
        // A chi-square variable of k degrees of freedom has mean k and variance 2 k.
        let z = (chi2 - cells) / (2.0 * cells).sqrt();
        assert!(
            z.abs() < 4.0,
            "{family}: chi2 {chi2} for {cells} degrees of freedom"
        );
    }
}

#[test]
fn samples_repeat_and_extend() {
    for family in Family::ALL {
        let draw = |n, seed| family.sample(n, &mut stream(seed, "data"));
        assert_eq!(draw(0, 1).shape(), (0, 2));
        assert_eq!(draw(1, 1).shape(), (1, 2));
        assert_eq!(draw(50, 1), draw(50, 1));
        assert_eq!(draw(50, 1), draw(80, 1).as_ref().subrows(0, 50));
        assert_ne!(draw(50, 1), draw(50, 2));
        assert!(family.log_prob(draw(0, 1).as_ref()).is_empty());
    }
}

#[test]
fn first_draws_and_densities_are_locked() {
    // The bits behind every number of every report.
    let locked: [[u64; 3]; 8] = [
        [
            0xbfe7_31a6_cf68_df8a,
            0x3fd8_5d28_d671_9b9c,
            0xc002_d461_2604_08a6,
        ],
        [
            0xbff9_2e96_5fa0_fae3,
            0x3ff1_8279_a7f6_a252,
            0xc009_47a1_8b62_a08a,
        ],
        [
            0x4002_d24f_e277_8cbc,
            0x3fe9_9ad0_e143_5a78,
            0xc003_e302_b7e6_0413,
        ],
        [
            0xbff1_e3b3_dfa6_50f9,
            0x3fe7_1a27_5ea2_b74e,
            0xc007_2345_58f3_dd54,
        ],
        [
            0xbfb9_6fdf_d363_7b64,
            0x3ff3_0282_0ffa_adf8,
            0xc003_1d48_a379_79e2,
        ],
        [
            0x3ffa_347e_bdac_0776,
            0x3ffd_27a8_e7bd_f6ff,
            0xc001_5875_99c1_0e28,
        ],
        [
            0x3fe4_b6a7_bb9b_eb6e,
            0xbfd8_8cea_c78f_2e38,
            0xc005_a97b_5760_459d,
        ],
        [
            0xbfe3_c767_bf4c_a1f2,
            0x4001_c689_d7a8_add4,
            0xc004_0cb0_1c44_691a,
        ],
    ];
    let got = Family::ALL.map(|family| {
        let x = family.sample(3, &mut stream(2025, "golden"));
        let log_p = family.log_prob(x.as_ref());
        [x[(2, 0)], x[(2, 1)], log_p[2]].map(f64::to_bits)
    });
    assert_eq!(got, locked, "{got:#x?}");
}

#[test]
fn log_prob_at_the_edges_of_the_numbers() {
    for family in Family::ALL {
        let at = |a: f64, b: f64| {
            family.log_prob(Mat::from_fn(1, 2, |_, d| if d == 0 { a } else { b }).as_ref())[0]
        };
        assert!(at(f64::NAN, 0.0).is_nan());
        assert!(at(0.0, f64::NAN).is_nan());
        assert!(at(f64::NAN, f64::INFINITY).is_nan());
        for huge in [1e200, f64::MAX, f64::INFINITY] {
            assert_eq!(at(huge, 0.0), f64::NEG_INFINITY);
            assert_eq!(at(1.0, -huge), f64::NEG_INFINITY);
        }
        let mut sizes = vec![0.0];
        for exponent in -320..=152 {
            sizes.push(format!("1e{exponent}").parse::<f64>().unwrap());
        }
        for &r in &sizes {
            for (a, b) in [
                (1.0, 0.0),
                (0.0, 1.0),
                (1.0, 1.0),
                (0.6, 0.01),
                (1.0, 1e-9),
                (1e-9, 1.0),
            ] {
                for (sa, sb) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                    let (a, b) = (sa * a * r, sb * b * r);
                    assert!(
                        at(a, b).is_finite(),
                        "{family} at ({a:e}, {b:e}): {}",
                        at(a, b)
                    );
                }
            }
        }
    }
}
