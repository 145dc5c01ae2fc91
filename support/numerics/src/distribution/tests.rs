//! Round trips, slopes, known values, refusals.

use super::*;

const ALL: [D; 16] = [
    D::Uniform {
        low: -1.0,
        high: 3.0,
    },
    D::LogUniform {
        low: 1e-3,
        high: 1e4,
    },
    D::Normal { mean: 2.0, sd: 0.5 },
    D::LogNormal {
        mu: 1.0,
        sigma: 2.0,
    },
    D::HalfNormal { sd: 3.0 },
    D::TruncatedNormal {
        mean: 0.0,
        sd: 1.0,
        low: -0.5,
        high: 4.0,
    },
    D::TruncatedNormal {
        mean: 0.0,
        sd: 1.0,
        low: 6.0,
        high: f64::INFINITY,
    },
    D::TruncatedNormal {
        mean: 1.0,
        sd: 2.0,
        low: -9.0,
        high: 0.0,
    },
    D::Exponential { rate: 2.0 },
    D::Gamma {
        shape: 0.4,
        rate: 3.0,
    },
    D::Gamma {
        shape: 7.0,
        rate: 0.1,
    },
    D::Beta { a: 0.3, b: 0.5 },
    D::Beta { a: 5.0, b: 2.0 },
    D::Cauchy {
        location: 1.0,
        scale: 2.0,
    },
    D::StudentT {
        df: 3.0,
        location: -1.0,
        scale: 0.5,
    },
    D::StudentT {
        df: 80.0,
        location: 0.0,
        scale: 1.0,
    },
];

#[test]
fn scores_invert_quantiles_and_densities_are_slopes() {
    for d in ALL {
        d.check().unwrap();
        let mut last = f64::NEG_INFINITY;
        for i in -60..=60 {
            let z = 0.1 * f64::from(i);
            let x = d.at(z);
            let (low, high) = d.support();
            assert!(low < x && x < high && x >= last, "{d:?} at {z}: {x}");
            last = x;
            // Digits that x loses beside an end that is not 0.
            let slope = exp(d.log_pdf(x) - normal_log_pdf(z));
            let digits = 1e-10 + 5e-15 * (1.0 + x.abs()) * slope;
            // Beside 1, numbers are too coarse to tell values of z apart.
            if digits > 1e-4 {
                continue;
            }
            let back = d.normal_score(x);
            assert!((back - z).abs() < digits, "{d:?} at {z}: {back}");
            let h = 1e-4;
            let got = ln((d.at(z + h) - d.at(z - h)) / (2.0 * h)) + ln(slope);
            assert!(got.abs() < 1e-5 + 1e4 * digits, "{d:?} at {z}: {got}");
        }
        assert!(d.at(f64::NAN).is_nan() && d.log_pdf(f64::NAN).is_nan());
        for z in [-40.0, 40.0, f64::INFINITY, f64::NEG_INFINITY] {
            let x = d.at(z);
            assert!(d.support().0 < x && x < d.support().1, "{d:?} at {z}: {x}");
        }
    }
}

#[test]
fn values_known_from_tables() {
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a}, not {b}");
    let at = |d: D, p: f64| d.at(normal_quantile(p));
    close(
        at(
            D::StudentT {
                df: 3.0,
                location: 0.0,
                scale: 1.0,
            },
            0.975,
        ),
        3.182_446_305_284_263,
    );
    close(
        at(
            D::Gamma {
                shape: 2.0,
                rate: 0.5,
            },
            0.95,
        ),
        9.487_729_036_781_154,
    );
    close(
        at(D::Beta { a: 0.5, b: 0.5 }, 0.25),
        0.146_446_609_406_726_2,
    );
    close(
        at(
            D::Cauchy {
                location: 0.0,
                scale: 1.0,
            },
            0.75,
        ),
        1.0,
    );
    close(
        at(D::Exponential { rate: 2.0 }, 0.5),
        0.5 * std::f64::consts::LN_2,
    );
}

#[test]
fn parameters_out_of_range_are_named() {
    let refuse = |d: D, name: &str| assert!(d.check().unwrap_err().contains(name), "{d:?}");
    refuse(
        D::Uniform {
            low: 1.0,
            high: 1.0,
        },
        "low",
    );
    refuse(
        D::LogUniform {
            low: 0.0,
            high: 1.0,
        },
        "low",
    );
    refuse(
        D::Normal {
            mean: f64::NAN,
            sd: 1.0,
        },
        "mean",
    );
    refuse(
        D::Gamma {
            shape: 1.0,
            rate: -1.0,
        },
        "rate",
    );
    refuse(
        D::TruncatedNormal {
            mean: 0.0,
            sd: 1.0,
            low: 60.0,
            high: 61.0,
        },
        "mass",
    );
}
