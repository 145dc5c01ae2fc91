//! Difficult data: a good fit or a clear refusal, never NaN; scales and shifts change nothing; what
//! was fitted can be saved.

#[path = "../examples/numerics/cases.rs"]
mod cases;
#[path = "../examples/numerics/fits.rs"]
mod fits;
#[path = "../examples/numerics/table.rs"]
mod table;

use amf::{Column, Draws, ExpertConfig, FittedDensity, NamedExpert};
use datasets::Family;
use density::{Data, Density, FitContext};
use faer::prelude::*;
use numerics::random::stream;
use proptest::prelude::*;
use rayon::prelude::*;
use table::Row;

#[test]
fn difficult_data_get_a_good_fit_or_a_clear_refusal_as_the_document_says() {
    let settings = fits::settings();
    let cases = cases::all();
    let rows: Vec<Row> = cases.par_iter().map(|c| Row::of(c, &settings)).collect();
    let wrong = cases
        .iter()
        .zip(&rows)
        .filter_map(|(c, r)| r.judge(c).err());
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let lines: Vec<String> = rows.iter().map(Row::markdown).collect();
    let now = format!(
        "{}{}{}\n",
        table::INTRODUCTION,
        table::HEAD,
        lines.join("\n")
    );
    let committed = include_str!("../../docs/numerics.md");
    for (now, committed) in now.lines().zip(committed.lines()) {
        assert_eq!(now, committed, "write docs/numerics.md anew");
    }
    assert_eq!(now.lines().count(), committed.lines().count());
}

/// Experts that see columns of the same units alike in all units.
fn experts() -> Vec<NamedExpert> {
    let mut experts = fits::settings().experts;
    for e in &mut experts {
        if let ExpertConfig::Flow(f) = &mut e.kind {
            f.fit.steps = 30;
        }
    }
    experts
}

/// Held-out log-densities of an expert fitted to the first rows.
fn held_out(kind: &ExpertConfig, x: &Mat<f64>) -> Vec<f64> {
    let part = |from, to: usize| x.as_ref().subrows(from, to - from);
    let (train, valid) = (Data::new(part(0, 80)), Data::new(part(80, 100)));
    let rng = |purpose: &str| stream(1, purpose);
    let context = &FitContext::default();
    let fitted = kind
        .fit("a name", train, Some(valid), &rng, context)
        .unwrap();
    fitted.expert.log_prob(part(100, x.nrows()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    #[test]
    fn a_change_of_units_changes_the_model_by_no_more_than_the_units(seed in 0..1000u64, power in -300..300i32, apart in -4..4i32) {
        let x = Family::Banana.sample(200, &mut stream(seed, "units"));
        let factor = [2f64.powi(power), 2f64.powi(power + apart)];
        let other = Mat::from_fn(200, 2, |i, j| factor[j] * x[(i, j)]);
        let offset = std::f64::consts::LN_2 * f64::from(2 * power + apart);
        for e in experts() {
            // A shape that components share depends on the units of the columns to each other.
            if e.name == "gmm_12" && apart != 0 {
                continue;
            }
            for (a, b) in held_out(&e.kind, &x).iter().zip(held_out(&e.kind, &other)) {
                prop_assert!((a - offset - b).abs() < 1e-6 * (1.0 + a.abs()), "{}: {a} {b}", e.name);
            }
        }
    }

    #[test]
    fn a_shift_moves_the_model_and_changes_nothing_else(seed in 0..1000u64, shift in -1000..1000i32) {
        // On a fine binary grid, so that the shifted values are exact.
        let fine = 2f64.powi(20);
        let x = Family::Banana.sample(200, &mut stream(seed, "shift"));
        let x = Mat::from_fn(200, 2, |i, j| (fine * x[(i, j)]).round() / fine);
        let other = Mat::from_fn(200, 2, |i, j| x[(i, j)] + 1024.0 * f64::from(shift));
        let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
        for e in experts() {
            // Rounding differs, and with it what hangs on it: where expectation-maximisation ends
            // (at a change of 1e-5; with a prior the likelihood also falls on the way, and the end
            // can be anywhere), and the signs of axes at 45 degrees, after which RBIG takes other
            // rotations.
            let tolerance = match e.name.as_str() {
                "gmm_12" => continue,
                "rbig" => 0.1,
                // Training amplifies it.
                _ => 1e-2,
            };
            let (a, b) = (mean(&held_out(&e.kind, &x)), mean(&held_out(&e.kind, &other)));
            prop_assert!((a - b).abs() < tolerance, "{}: {a} {b}", e.name);
        }
    }
}

#[test]
fn densities_in_other_coordinates_are_saved_and_drawn_from() {
    let mut settings = fits::settings();
    settings.experts.truncate(2);
    let columns = [Column::real("a"), Column::real("b")];
    for (name, word) in [
        ("two Cauchy columns", "arcsinh"),
        ("correlation 1 - 1e-9", "rotation"),
    ] {
        let case = cases::all().into_iter().find(|c| c.name == name).unwrap();
        let x = case.train();
        let draws = Draws::new(&columns, x.as_ref());
        let density = settings.fit(&draws, 1, &FitContext::default()).unwrap();
        let bytes = density.to_bytes().unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(word));
        let again = FittedDensity::from_bytes(&bytes).unwrap();
        let y = density.sample(2000, &mut stream(1, "saved"));
        assert_eq!(again.sample(2000, &mut stream(1, "saved")), y);
        let log_q = density.log_prob(y.as_ref());
        assert_eq!(again.log_prob(y.as_ref()), log_q);
        assert!(log_q.iter().all(|l| l.is_finite()));
        assert!((0..2).all(|j| (0..2000).all(|i| y[(i, j)].is_finite())));
    }
}
