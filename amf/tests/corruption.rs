//! Damaged and hostile settings, models and experts: refused in one line, or sound; within bounds
//! of memory and time.

use amf::archive::KINDS;
use amf::{Column, Draws, Fitted, FittedDensity, NamedExpert, Recipe};
use density::{Data, Density, FitContext, archive};
use faer::Mat;
use numerics::random::{standard_normal, stream};
use std::sync::LazyLock;
use testing::{Trial, accepted, loads};

const CASES: usize = 100_000;

/// Every kind of expert, each tiny.
const SETTINGS: &str = r#"(
    partition: (folds: 2, repeats: 1, validation: 0.2, repeats_up_to: 1000, folds_up_to: 10),
    experts: [
        (name: "maf", kind: Flow((
            architecture: Maf(layers: 1, hidden: [2], activation: Tanh, ordering: Random, log_scale: (bound: 1.0, knee: 1.0), output_gain: 0.1),
            standardise: true, base: GaussianMixture((components: Fixed(2))),
            fit: (steps: 5, batch: Size(50), learning_rate: 2e-3, schedule: Constant, evaluate_every: 10, patience: Some(3))))),
        (name: "rbig", kind: Rbig((model: (layers: Count(1), marginal: Smooth(), rotation: Random)))),
        (name: "histogram", kind: Rbig((model: (layers: Count(1), marginal: Histogram(bins: 4, widen: 0.1, clamp: 1e-4), rotation: Pca)))),
        (name: "gmm", kind: GaussianMixture((components: Fixed(2), average: 1))),
        (name: "smm", kind: StudentMixture((components: Fixed(2)))),
        (name: "kde", kind: Kde(())),
    ],
    rule: Stacking(tolerance: 1e-8, max_iterations: 200, batch: 1),
)"#;

static DENSITIES: LazyLock<Vec<FittedDensity>> = LazyLock::new(|| {
    let settings = Recipe::parse(SETTINGS).unwrap();
    let mut rng = stream(1, "points");
    let x = Mat::from_fn(30, 2, |_, j| {
        let z = standard_normal(&mut rng);
        if j == 0 {
            z.abs()
        } else {
            z / (0.1 + standard_normal(&mut rng).abs())
        }
    });
    let columns = [Column::positive("tau"), Column::real("mu")];
    let fit = |name: &str, d: usize| {
        let mut settings = settings.clone();
        settings.experts.retain(|e| e.name == name);
        let draws = Draws::new(&columns[..d], x.as_ref().subcols(0, d));
        settings.fit(&draws, 1, &FitContext::default()).unwrap()
    };
    let names = ["maf", "rbig", "histogram", "gmm", "kde"];
    names
        .iter()
        .flat_map(|name| [fit(name, 1), fit(name, 2)])
        .collect()
});

/// Draws are finite, and their log-densities numbers or minus infinity.
fn must_work(e: &dyn Density) {
    let draws = e.sample(2, &mut stream(1, "draws"));
    assert!((0..e.dim()).all(|j| draws.col(j).iter().all(|v| v.is_finite())));
    let log_prob = e.log_prob(draws.as_ref());
    assert!(log_prob.iter().all(|l| *l < f64::INFINITY), "{log_prob:?}");
}

fn load_density(bytes: &[u8]) -> bool {
    accepted(FittedDensity::from_bytes(bytes), |density| {
        must_work(&density)
    })
}

fn load_expert(bytes: &[u8]) -> bool {
    accepted(archive::from_bytes(bytes, KINDS), |expert| {
        must_work(&*expert)
    })
}

fn load_settings(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    accepted(Recipe::parse(text), |settings| {
        // What holds a NaN is not equal to itself.
        let again = Recipe::parse(&ron::to_string(&settings).unwrap());
        assert_eq!(again.unwrap(), settings);
    })
}

#[test]
fn damaged_densities() {
    let sound: Vec<Vec<u8>> = DENSITIES.iter().map(|d| d.to_bytes().unwrap()).collect();
    let trial = Trial {
        sound: &sound,
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("densities", load_density);
}

#[test]
fn damaged_experts() {
    let sound: Vec<Vec<u8>> = DENSITIES
        .iter()
        .map(|d| archive::to_bytes(d.mixture().experts()[0]).unwrap())
        .collect();
    let trial = Trial {
        sound: &sound,
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("experts", load_expert);
}

#[test]
fn damaged_settings() {
    let trial = Trial {
        sound: &[SETTINGS.into()],
        mutation: testing::text,
        cases: CASES,
    };
    trial.run("settings", load_settings);
}

/// A safetensors file of a manifest and arrays of shapes without numbers.
fn file(description: &str, shapes: &[(&str, &str)]) -> Vec<u8> {
    let format = archive::FORMAT;
    let text = format!("{{\"format\":{format},\"density\":{description},\"attachment\":{{}}}}");
    let text = serde_json::to_string(&text).unwrap();
    let arrays: String = shapes
        .iter()
        .map(|(name, shape)| {
            format!(",\"{name}\":{{\"dtype\":\"F64\",\"shape\":{shape},\"data_offsets\":[0,0]}}")
        })
        .collect();
    let header = format!("{{\"__metadata__\":{{\"amf\":{text}}}{arrays}}}");
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

#[test]
fn shapes_without_numbers_are_not_believed() {
    let huge = "[0,4611686018427387904]";
    let mixture = file(
        r#"{"kind":"gaussian_mixture"}"#,
        &[("weights", "[0]"), ("means", huge), ("factors", "[0,3,3]")],
    );
    let kde = file(
        r#"{"kind":"kde"}"#,
        &[("points", huge), ("weights", "[0]"), ("bandwidth", "[0]")],
    );
    let histogram = file(
        r#"{"kind":"rbig","layers":["histogram"]}"#,
        &[
            ("shift", "[0]"),
            ("scale", "[0]"),
            ("layer/0/rotation", "[0,0]"),
            ("layer/0/edges", "[0,4]"),
            ("layer/0/bins", huge),
        ],
    );
    for file in [mixture, kde, histogram] {
        assert!(!loads(&file, load_expert));
    }
}

#[test]
fn nested_descriptions_and_many_columns_are_refused_in_bounded_time() {
    // Deeper than any description is, and than a stack might hold.
    let deep = r#"{"kind":"transformed","bijection":"affine","density":"#.repeat(10_000);
    assert!(!loads(&file(&deep, &[]), load_expert));
    let bytes = DENSITIES[0].to_bytes().unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + size]).unwrap();
    let column = r#"{\"name\":\"tau\",\"support\":\"positive\"}"#;
    assert!(header.contains(column), "{header}");
    let many: Vec<String> = (0..20_000)
        .map(|k| column.replace("tau", &k.to_string()))
        .collect();
    let header = header.replace(column, &many.join(","));
    let wide = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &bytes[8 + size..],
    ]
    .concat();
    assert!(!loads(&wide, load_density));
    assert_eq!(
        FittedDensity::from_bytes(&wide).err().unwrap(),
        "the columns are not those of the density"
    );
}

#[test]
fn deep_settings_are_refused() {
    assert!(!loads("(".repeat(900_000).as_bytes(), load_settings));
    assert!(!loads(
        format!("(partition: {}", "[".repeat(900_000)).as_bytes(),
        load_settings
    ));
}

fn normal_points(seed: u64) -> Mat<f64> {
    let mut rng = stream(seed, "points");
    Mat::from_fn(30, 2, |_, _| standard_normal(&mut rng))
}

/// Fitted experts as units of work.
fn load_unit(bytes: &[u8]) -> bool {
    accepted(Fitted::from_bytes(bytes), |fitted| {
        must_work(&*fitted.expert);
    })
}

#[test]
fn damaged_units() {
    let settings = Recipe::parse(SETTINGS).unwrap();
    let x = normal_points(2);
    let (train, valid) = x.split_at_row(20);
    let (train, valid) = (Data::new(train), Some(Data::new(valid)));
    let unit = |e: &NamedExpert| {
        let rng = |purpose: &str| stream(1, purpose);
        let fitted = e
            .kind
            .fit("a name", train, valid, &rng, &FitContext::default())
            .unwrap();
        fitted.to_bytes().unwrap()
    };
    let sound: Vec<Vec<u8>> = settings.experts.iter().map(unit).collect();
    let trial = Trial {
        sound: &sound,
        mutation: testing::tensors,
        cases: CASES,
    };
    trial.run("units", load_unit);
}

#[test]
fn widths_that_cannot_be_divided_by_are_refused() {
    let settings = Recipe::parse(SETTINGS).unwrap();
    let x = normal_points(3);
    let (train, valid) = x.split_at_row(20);
    for (name, array) in [
        ("rbig", "scale"),
        ("histogram", "scale"),
        ("histogram", "layer/0/edges"),
    ] {
        let e = settings.experts.iter().find(|e| e.name == name).unwrap();
        let rng = |purpose: &str| stream(1, purpose);
        let (train, valid) = (Data::new(train), Some(Data::new(valid)));
        let fitted = e
            .kind
            .fit("a name", train, valid, &rng, &FitContext::default())
            .unwrap();
        let mut bytes = fitted.to_bytes().unwrap();
        assert!(load_unit(&bytes));
        let (size, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        // The second number of the array: of `edges` the width of the first marginal.
        let at = 8 + size + header.info(array).unwrap().data_offsets.0 + 8;
        bytes[at..at + 8].copy_from_slice(&5e-324f64.to_le_bytes());
        assert!(!loads(&bytes, load_unit), "{name}, {array}");
    }
}

#[test]
fn names_of_arrays_in_messages_are_escaped() {
    let settings = Recipe::parse(SETTINGS).unwrap();
    let mut rng = stream(4, "points");
    let x = Mat::from_fn(30, 2, |_, _| standard_normal(&mut rng));
    let e = settings.experts.iter().find(|e| e.name == "rbig").unwrap();
    let (train, valid) = x.split_at_row(20);
    let (train, valid) = (Data::new(train), Some(Data::new(valid)));
    let fitted = e
        .kind
        .fit(
            "a name",
            train,
            valid,
            &|p| stream(1, p),
            &FitContext::default(),
        )
        .unwrap();
    let sound = fitted.to_bytes().unwrap();
    let name = b"layer/0/marginals";
    let at = sound.windows(name.len()).position(|w| w == name).unwrap();
    let mut renamed = sound.clone();
    renamed[at + 2] = 0x7f;
    assert!(!loads(&renamed, load_unit));
}
