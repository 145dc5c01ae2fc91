//! Densities of people's draws: saved and loaded to the bit, damaged files refused, bounds kept,
//! failures told.

use amf::{Column, DensityError, Draws, DrawsError, FittedDensity, Recipe};
use density::{
    ColumnProblem, Data, Density, EmConfig, FitContext, GaussianMixture, Kde, Mixture, NotSavable,
    Support, Writer,
};
use faer::prelude::*;
use numerics::math::{exp, ln, sum};
use numerics::random::{Pcg64, standard_normal, stream, uniform};
use proptest::prelude::*;
use std::sync::LazyLock;
use testing::ends_after;

/// Every kind of expert, each small.
fn settings() -> Recipe {
    let flow = |name: &str, architecture: &str, base: &str| {
        format!(
            "(name: \"{name}\", kind: Flow((architecture: {architecture}, standardise: true, base: {base}, fit: (steps: 20, batch: Size(50), \
             learning_rate: 2e-3, schedule: Constant, evaluate_every: 10, patience: Some(3)))))"
        )
    };
    let shape =
        "hidden: [6], activation: Tanh, log_scale: (bound: 1.0, knee: 1.0), output_gain: 0.1";
    let experts = [
        flow("maf", &format!("Maf(layers: 2, ordering: Random, {shape})"), "StandardNormal"),
        flow(
            "realnvp",
            &format!("RealNvp(couplings: 2, nets: Separate, {shape})"),
            "GaussianMixture((components: Fixed(2)))",
        ),
        "(name: \"rbig\", kind: Rbig((model: (layers: Count(2), marginal: Smooth(), rotation: Random))))".into(),
        "(name: \"histogram\", kind: Rbig((model: (layers: Count(2), marginal: Histogram(bins: 8, widen: 0.1, clamp: 1e-4), rotation: Pca))))".into(),
        "(name: \"gmm\", kind: GaussianMixture((components: Fixed(3), average: 2)))".into(),
        "(name: \"kde\", kind: Kde(()))".into(),
    ]
    .join(", ");
    let text = format!(
        "(partition: (folds: 2, repeats: 1, validation: 0.2, repeats_up_to: 1000, folds_up_to: 1000), experts: [{experts}], \
         rule: SimplexMovingAverage(decay: 0.5, steps: 5, batch: 50, temperature: 1.0, smoothing: 0.2, floor: 0.05))"
    );
    ron::from_str(&text).unwrap()
}

fn columns(d: usize) -> Vec<Column> {
    let mut columns = vec![
        Column::positive("scale"),
        Column::interval("share", -1.0, 2.0),
        Column::real("place"),
    ];
    columns.truncate(d);
    columns
}

fn points(n: usize, d: usize, seed: u64) -> Mat<f64> {
    let mut rng = stream(seed, "points");
    let mut x = Mat::zeros(n, d);
    for i in 0..n {
        let z = standard_normal(&mut rng);
        for j in 0..d {
            let own = 0.5 * z + standard_normal(&mut rng);
            x[(i, j)] = match j {
                0 => exp(own),
                1 => -1.0 + 3.0 / (1.0 + exp(-own)),
                // A heavy tail, so that some marginal has an arcsinh.
                _ => own / uniform(&mut rng),
            };
        }
    }
    x
}

fn fitted(d: usize) -> FittedDensity {
    let (columns, x) = (columns(d), points(120, d, 1));
    let draws = Draws::new(&columns, x.as_ref());
    settings().fit(&draws, 3, &FitContext::default()).unwrap()
}

fn assert_same(a: &FittedDensity, b: &FittedDensity, d: usize, reports: bool) {
    let x = points(40, d, 2);
    assert_eq!(a.log_prob(x.as_ref()), b.log_prob(x.as_ref()));
    assert_eq!(a.log_prob_table(x.as_ref()), b.log_prob_table(x.as_ref()));
    let draw = |m: &FittedDensity| m.sample(60, &mut stream(5, "draws"));
    assert_eq!(draw(a), draw(b));
    assert_eq!(a.columns(), b.columns());
    assert!(!reports || a.report() == b.report());
}

#[test]
fn a_saved_density_is_the_same_to_the_bit_and_its_file_too() {
    for d in 1..4 {
        let density = fitted(d);
        assert!(density.report().left_out.is_empty());
        let bytes = density.to_bytes().unwrap();
        assert_eq!(bytes, fitted(d).to_bytes().unwrap());
        let again = FittedDensity::from_bytes(&bytes).unwrap();
        assert_same(&density, &again, d, true);
        assert_eq!(again.to_bytes().unwrap(), bytes);
        assert!(
            density
                .sample(500, &mut stream(1, "inside"))
                .col(0)
                .iter()
                .all(|v| *v > 0.0)
        );
    }
}

#[test]
fn far_out_the_density_is_small_and_never_no_number() {
    let density = fitted(3);
    let far = [1e10, 1e100, 1e154, 1e200, 1e300, f64::MAX];
    let at = |place: f64| Mat::from_fn(1, 3, |_, j| [1.0, 0.5, place][j]);
    for place in far.into_iter().flat_map(|v| [v, -v]) {
        let x = at(place);
        let log_prob = density.log_prob(x.as_ref())[0];
        assert!(log_prob < -100.0, "{place}: {log_prob}");
        let table = density.log_prob_table(x.as_ref());
        assert!(table.row(0).iter().all(|l| *l < 0.0), "{place}: {table:?}");
    }
    // Others in the same call are what they are.
    let x = Mat::from_fn(3, 3, |i, j| [1.0, 0.5, [0.3, f64::MAX, f64::NAN][i]][j]);
    let all = density.log_prob(x.as_ref());
    assert_eq!(all[0], density.log_prob(at(0.3).as_ref())[0]);
    assert!(all[0].is_finite() && all[2].is_nan());
}

#[test]
fn the_arrays_have_names_and_shapes_that_mean_something() {
    let bytes = fitted(3).to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    // The fold models of some experts stand behind a bijection, in a folder `density` of their own.
    let shape = |folder: &str, name: &str| {
        let names = file.names();
        let ours = names
            .iter()
            .find(|n| n.starts_with(folder) && n.ends_with(name));
        let ours = ours.unwrap_or_else(|| panic!("{folder} {name} among {names:?}"));
        file.tensor(ours).unwrap().shape().to_vec()
    };
    assert_eq!(shape("density/weights", ""), [6]);
    assert_eq!(shape("density/0/weights", ""), [2]);
    assert_eq!(shape("density/0/1/", "layer/0/weight_0"), [6, 3]);
    assert_eq!(shape("density/1/0/", "base/factors"), [2, 3, 3]);
    assert_eq!(shape("density/1/0/", "layer/1/shift/bias_1"), [2]);
    assert_eq!(shape("density/2/0/", "layer/1/rotation"), [3, 3]);
    assert_eq!(shape("density/5/1/", "points")[1], 3);
}

struct Own;

impl Density for Own {
    fn dim(&self) -> usize {
        1
    }
    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        vec![0.0; x.nrows()]
    }
    fn sample(&self, n: usize, _: &mut Pcg64) -> Mat<f64> {
        Mat::zeros(n, 1)
    }
}

#[test]
fn an_expert_of_ones_own_says_that_it_cannot_be_saved() {
    let x = Mat::from_fn(30, 1, |i, _| i as f64);
    let em = EmConfig::default();
    let g = GaussianMixture::fit(Data::new(x.as_ref()), 1, &em, &mut stream(1, "em")).unwrap();
    let kde = Kde::fit(Data::new(x.as_ref()), &mut stream(1, "kde")).unwrap();
    let m = Mixture::average(vec![Box::new(g), Box::new(kde), Box::new(Own)]);
    let NotSavable(why) = m.describe(&mut Writer::default()).unwrap_err();
    assert!(
        why.contains("the density \"2\" is of a kind that cannot be saved"),
        "{why}"
    );
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| fitted(2).to_bytes().unwrap());

/// Whatever was read must be a working density.
fn must_work(bytes: &[u8]) {
    if let Ok(density) = FittedDensity::from_bytes(bytes) {
        let x = points(5, 2, 3);
        assert_eq!(density.log_prob(x.as_ref()).len(), 5);
        let draws = density.sample(5, &mut stream(1, "damaged"));
        assert!(draws.col(0).iter().all(|v| *v > 0.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn damaged_files_are_refused_or_sound(at in 0.0..1.0f64, byte in any::<u8>(), header in any::<bool>()) {
        let mut bytes = FILE.clone();
        // The header holds the structure; most of the file are numbers.
        let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
        let range = if header { size } else { bytes.len() };
        let at = (at * range as f64) as usize;
        bytes[at] = byte;
        must_work(&bytes);
        prop_assert!(FittedDensity::from_bytes(&bytes[..at]).is_err());
    }

    #[test]
    fn digits_in_the_manifest_can_be_anything(at in 0.0..1.0f64, new in "[0-9]{1,9}") {
        // Longer or shorter headers move the arrays: the size in front is mended, so that the
        // manifest itself is what is wrong.
        let size = u64::from_le_bytes(FILE[..8].try_into().unwrap()) as usize;
        let digits: Vec<usize> = (8..8 + size).filter(|&i| FILE[i].is_ascii_digit()).collect();
        let at = digits[(at * digits.len() as f64) as usize];
        let mut header = FILE[8..at].to_vec();
        header.extend(new.bytes());
        header.extend(&FILE[at + 1..8 + size]);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(&FILE[8 + size..]);
        must_work(&bytes);
    }
}

#[test]
fn other_versions_and_other_files_are_named() {
    let key = b"format\\\":";
    let at = FILE.windows(key.len()).position(|w| w == key).unwrap() + key.len();
    let mut newer = FILE.clone();
    newer[at] = b'3';
    let refuse = |bytes: &[u8]| FittedDensity::from_bytes(bytes).err().unwrap();
    assert!(refuse(&newer).contains("format 3"), "{}", refuse(&newer));
    assert!(refuse(b"a,b\n1,2\n").contains("not a model file"));
    let writer = Writer::default();
    assert!(refuse(&writer.finish("other", String::new())).contains("no \"amf\""));
}

#[test]
fn bounded_densities_integrate_to_one_and_vanish_outside() {
    let columns = [Column::interval("share", 0.0, 1.0)];
    let mut rng = stream(4, "beta");
    // Piles up at both ends.
    let x = Mat::from_fn(400, 1, |_, _| {
        let z = 2.0 * standard_normal(&mut rng);
        1.0 / (1.0 + exp(-z))
    });
    let draws = Draws::new(&columns, x.as_ref());
    let density = settings().fit(&draws, 1, &FitContext::default()).unwrap();
    let n = 200_000;
    let grid = Mat::from_fn(n, 1, |i, _| (i as f64 + 0.5) / n as f64);
    let terms: Vec<f64> = density
        .log_prob(grid.as_ref())
        .iter()
        .map(|&l| exp(l))
        .collect();
    let total = sum(&terms) / n as f64;
    assert!((total - 1.0).abs() < 0.002, "{total}");
    let outside = Mat::from_fn(4, 1, |i, _| [-0.1, 0.0, 1.0, 1.5][i]);
    assert_eq!(density.log_prob(outside.as_ref()), [f64::NEG_INFINITY; 4]);
    assert!(
        density
            .sample(2000, &mut rng)
            .col(0)
            .iter()
            .all(|v| Support::contains(columns[0].support, *v))
    );
    // The entropy is that of a logistic-normal law: what the report says is in the units of the
    // data.
    let mixture = density.report().mixture;
    let exact: Vec<f64> = (0..400)
        .map(|i| {
            let (v, z) = (x[(i, 0)], ln(x[(i, 0)] / (1.0 - x[(i, 0)])));
            let log_p = numerics::math::normal_log_pdf(z / 2.0) - ln(2.0) - ln(v) - ln(1.0 - v);
            -log_p
        })
        .collect();
    let truth = sum(&exact) / 400.0;
    assert!(
        (mixture.value - truth).abs() < 0.05,
        "{} {truth}",
        mixture.value
    );
}

#[test]
fn what_cannot_be_fitted_is_left_out_and_an_end_is_an_end() {
    let mut settings = settings();
    // Far too large a step: the flow's loss is soon no number.
    let text = ron::to_string(&settings.experts[0]).unwrap();
    let text = text.replace("learning_rate:0.002", "learning_rate:1e300");
    settings.experts[0] = ron::from_str(&text).unwrap();
    let (columns, x) = (columns(2), points(100, 2, 1));
    let draws = Draws::new(&columns, x.as_ref());
    let density = settings.fit(&draws, 1, &FitContext::default()).unwrap();
    let report = density.report();
    let names: Vec<&str> = report.left_out.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["maf"], "{:?}", report.left_out);
    assert!(
        report.left_out[0].reason.contains("learning rate"),
        "{:?}",
        report.left_out
    );
    // The others are who they say they are.
    assert_eq!(
        density.expert_names(),
        ["realnvp", "rbig", "histogram", "gmm", "kde"]
    );
    let mut fine = settings.clone();
    fine.experts.remove(0);
    let without = fine.fit(&draws, 1, &FitContext::default()).unwrap();
    assert_same(&without, &density, 2, false);
    settings.experts.truncate(1);
    let error = settings
        .fit(&draws, 1, &FitContext::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("expert \"maf\""), "{error}");
    let stopped = settings.fit(
        &draws,
        1,
        &FitContext::default().observed_by(&ends_after(0)),
    );
    assert!(matches!(stopped, Err(DensityError::Interrupted)));
}

#[test]
fn weighted_draws_are_fitted_as_the_law_they_stand_for() {
    // Draws of N(0, 2^2) with the weights of N(1, 1).
    let mut rng = stream(9, "weighted");
    let x = Mat::from_fn(3000, 1, |_, _| 2.0 * standard_normal(&mut rng));
    let log_weights: Vec<f64> = (0..3000)
        .map(|i| {
            let v: f64 = x[(i, 0)];
            -0.5 * (v - 1.0).powi(2) + v * v / 8.0 - 700.0
        })
        .collect();
    let columns = [Column::real("x")];
    let draws = Draws::new(&columns, x.as_ref()).weighted(&log_weights);
    let mut settings = settings();
    settings.partition.folds_up_to = 10_000;
    let density = settings.fit(&draws, 1, &FitContext::default()).unwrap();
    let report = density.report();
    let found = report.weights.unwrap();
    assert!((800.0..2500.0).contains(&found.ess) && found.pareto_k.unwrap() < 0.7);
    // Entropy of a unit normal.
    let entropy = 0.5 * (1.0 + numerics::math::LN_2PI);
    let score = report.mixture;
    assert!(
        (score.value - entropy).abs() < 4.0 * score.standard_error + 0.02,
        "{score:?}"
    );
    let y = density.sample(4000, &mut rng);
    let mean = y.col(0).iter().sum::<f64>() / 4000.0;
    assert!((mean - 1.0).abs() < 0.1, "{mean}");
    for r in &report.calibration.regions {
        assert!(
            (r.share - r.nominal).abs() < 4.0 * r.standard_error,
            "{r:?}"
        );
    }
}

#[test]
fn many_rows_are_split_once_and_that_is_said() {
    let mut settings = settings();
    settings.experts.retain(|e| e.name == "gmm");
    let (columns, x) = (columns(1), points(1200, 1, 1));
    let density = settings
        .fit(&Draws::new(&columns, x.as_ref()), 1, &FitContext::default())
        .unwrap();
    let report = density.report();
    assert!(
        report.notes[0].contains("1200 rows: one split instead of 2 folds"),
        "{:?}",
        report.notes
    );
    assert_eq!((report.models, report.rows_held_out), (1, 600));
}

#[test]
fn columns_without_a_density_are_refused_by_name() {
    let table = |columns: &[&str], f: &dyn Fn(usize, usize) -> f64, n: usize| {
        let named: Vec<Column> = columns.iter().map(|c| Column::real(*c)).collect();
        (named, Mat::from_fn(n, columns.len(), f))
    };
    type Named = (Vec<Column>, Mat<f64>);
    let check = |(columns, x): &Named| Draws::new(columns, x.as_ref()).check();
    let waves = |i: usize, j: usize| ((i * i * (j + 1)) % 101) as f64 + 0.1;
    let says = |t: &Named| check(t).unwrap_err().to_string();
    assert_eq!(check(&table(&["a", "b"], &waves, 20)), Ok(()));
    assert!(
        says(&table(&["a"], &waves, 19)).contains("19 rows are too few for 1 columns; at least 20")
    );
    let many: Vec<String> = (0..65).map(|j| format!("c{j}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(says(&table(&many, &waves, 100)).contains("65 columns are more than the 64"));
    assert!(says(&table(&many[..64], &waves, 50)).contains("50 rows are too few for 64 columns"));
    let constant = table(
        &["a", "b", "c"],
        &|i, j| if j == 1 { waves(i, 0) } else { 2.0 },
        30,
    );
    assert!(says(&constant).contains("constant and without a density: \"a\", \"c\""));
    let same = table(&["a", "b", "c"], &|i, j| waves(i, j % 2), 30);
    assert_eq!(
        says(&same),
        "column \"c\" is the same as \"a\"; leave one out"
    );
    let line = table(
        &["c", "f"],
        &|i, j| {
            if j == 1 {
                1.8 * waves(i, 0) + 32.0
            } else {
                waves(i, 0)
            }
        },
        30,
    );
    assert!(says(&line).contains("column \"f\" is 1.8 * \"c\" + 32"));
    let huge = table(&["a"], &|i, j| 1e200 * waves(i, j), 30);
    let Err(DrawsError::Columns { errors, .. }) = check(&huge) else {
        panic!("a span of 1e202 passed");
    };
    assert!(matches!(
        errors[0].problem,
        ColumnProblem::OutOfScale { .. }
    ));
    let one = table(&["a"], &|_, _| 2.0, 30);
    assert!(says(&one).contains("column \"a\" is constant and has no density; leave it out"));
    let shares = |i: usize, j: usize| match j {
        3 => 100.0 - waves(i, 0) - 2.0 * waves(i, 1) - waves(i, 2),
        j => waves(i, j),
    };
    assert_eq!(
        says(&table(&["a", "b", "c", "rest"], &shares, 30)),
        "column \"rest\" is -1 * \"a\" + -2 * \"b\" + -1 * \"c\" + 100, so that they have no joint density; leave one out"
    );
    let late = table(&["t"], &|i, j| 1e15 + waves(i, j), 30);
    assert!(says(&late).contains("in the last digits of the arithmetic; subtract a constant"));
    // An outlier on the diagonal puts no other row there.
    let far = table(
        &["a", "b"],
        &|i, j| if i == 3 { 1e9 } else { waves(i, j) },
        30,
    );
    assert_eq!(check(&far), Ok(()));
    let (columns, x) = table(&["a"], &waves, 30);
    let weights = (0..30).map(|i| if i < 11 { f64::NEG_INFINITY } else { 0.0 });
    let weights: Vec<f64> = weights.collect();
    let weighted = Draws::new(&columns, x.as_ref()).weighted(&weights).check();
    let said = weighted.unwrap_err().to_string();
    assert!(said.contains("19 rows with a weight"), "{said}");
}
