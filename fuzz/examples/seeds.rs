//! Writes what fuzzing begins with: small sound files of every kind below `corpus/`, and words of
//! the configs as a dictionary.
//!
//! `cargo run --example seeds`, in this folder.

use amf::{Column, Recipe, Draws};
use density::Density;
use anyhow::{Context, Result};
use numerics::random::{standard_normal, stream, streams};
use faer::Mat;
use flate2::{Compression, write::GzEncoder};
use flows::{Activation, Architecture, Base, Flow, LogScale, Nets, Ordering};
use density::{Affine, Data, EmConfig, FitContext, GaussianMixture, NotSavable, archive};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let repository = here.parent().context("the repository is one folder up")?;
    let corpus = Corpus(here.join("corpus"));
    configs(
        &corpus,
        &repository.join("paper/configs"),
        &here.join("dict"),
    )?;
    settings(&corpus)?;
    records(&corpus, &repository.join("paper/results"))?;
    tables(&corpus, &repository.join("docs/examples"))?;
    flows(&corpus)?;
    experts(&corpus)?;
    units(&corpus)?;
    densities(&corpus)
}

/// The folder of the seeds of each target.
struct Corpus(PathBuf);

impl Corpus {
    fn write(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
        Ok(())
    }
}

/// Files in a folder with an ending, the smallest first.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(ending) {
            found.push((entry.metadata()?.len(), entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|f| f.1).collect())
}

fn configs(corpus: &Corpus, configs: &Path, dictionaries: &Path) -> Result<()> {
    let mut words = BTreeSet::new();
    for (folder, target) in [
        ("", "protocol"),
        ("posterior", "study"),
        ("amortised", "amortised_study"),
    ] {
        for scale in ["", "smoke"] {
            for path in files(&configs.join(scale).join(folder), ".ron")? {
                let text = fs::read_to_string(&path)?;
                let split = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)));
                words.extend(split.filter(|w| w.len() > 1).map(str::to_owned));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                corpus.write(target, &format!("{scale}{name}"), text)?;
            }
        }
    }
    words.extend(
        [
            "inf",
            "NaN",
            "-1",
            "1e400",
            "-0.0",
            "18446744073709551615",
            "Some(",
            "None",
            "r#\"",
            "()",
        ]
        .map(str::to_owned),
    );
    let lines: Vec<String> = words
        .iter()
        .map(|w| format!("\"{}\"\n", w.replace('"', "\\\"")))
        .collect();
    fs::create_dir_all(dictionaries)?;
    fs::write(dictionaries.join("ron.dict"), lines.concat())?;
    Ok(())
}

fn settings(corpus: &Corpus) -> Result<()> {
    corpus.write(
        "settings",
        "default.ron",
        ron::to_string(&Recipe::default())?,
    )?;
    corpus.write("settings", "small.ron", SETTINGS)
}

fn records(corpus: &Corpus, results: &Path) -> Result<()> {
    for folder in ["held_out", "amortised/amortised", "posterior/refined"] {
        let found = files(&results.join("records").join(folder), ".ron")?;
        let smallest = found
            .iter()
            .find(|p| !p.to_string_lossy().ends_with(".figure.ron"));
        let path = smallest.with_context(|| folder.to_owned())?;
        let name = path
            .strip_prefix(results)?
            .to_string_lossy()
            .replace('/', "-");
        corpus.write("record", &name, fs::read(path)?)?;
    }
    let figure = "(hash: \"0\", draws: [(\"mixture\", [(0.5, -1.0), (1e-3, inf)])], grid: [0.0, -1.5, -2.0, -inf], side: 2)";
    corpus.write("record", "figure.ron", figure)?;
    let figure = "(hash: \"0\", projections: (side: 1, planes: [[-1.5]], lines: [[0.5], [-20.0]]))";
    corpus.write("record", "posterior-figure.ron", figure)?;
    let metrics = fs::read_to_string(results.join("metrics.csv"))?;
    let rows: Vec<&str> = metrics.lines().take(20).collect();
    corpus.write("metrics_csv", "metrics.csv", rows.join("\n"))
}

/// An array as numpy writes it.
fn npy(version: u8, descr: &str, by_columns: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let order = if by_columns { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let length = header.len() as u32;
    let width = if version == 1 { 2 } else { 4 };
    bytes.extend(&length.to_le_bytes()[..width]);
    bytes.extend(header.bytes());
    bytes.extend(numbers);
    bytes
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes)?;
    Ok(out.finish()?)
}

fn tables(corpus: &Corpus, examples: &Path) -> Result<()> {
    let schools = fs::read_to_string(examples.join("eight_schools.csv"))?;
    let schools: Vec<&str> = schools.lines().take(25).collect();
    let rows: Vec<String> = (0..22)
        .map(|i| {
            format!(
                "{} {} {}\n",
                i * i % 7,
                -0.5 * f64::from(i),
                1.0 / f64::from(i + 1)
            )
        })
        .collect();
    let rows = rows.concat();
    let texts = [
        schools.join("\n"),
        "# stan_version_major = 2\n#   num_samples = 1000\nlp__,accept_stat__,mu,tau,theta.1\n# Adaptation terminated\n# Step size = 0.7\n\
         -7.1,0.9,1.5,2e-3,-1\n-6.9,1,1.25,0.5,3\n#\n#  Elapsed Time: 0.01 seconds\n"
            .into(),
        format!("# mu tau x1\n{rows}"),
        "mu;tau;x1\r\n1.5;-2;0\r\n2.5;-3;-1e3\r\n".into(),
        "\u{feff}\"mu\",\"a \"\"b\"\", c\",\"x1\"\n1,2,-inf\n3,4,0.5\n".into(),
        "mu,tau,x1\n".to_owned() + &rows.replace(' ', ","),
    ];
    let le = |n: usize| {
        (0..n)
            .flat_map(|i| (i as f64 * 0.5).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let arrays = [
        npy(1, "<f8", false, "(4, 3)", &le(12)),
        npy(2, "<f8", true, "(4, 3)", &le(12)),
        npy(3, ">f8", false, "(6,)", &le(6)),
        npy(1, "<f4", false, "(4, 2)", &le(4)),
    ];
    for (k, text) in texts.iter().enumerate() {
        corpus.write("table", &format!("{k}.csv"), text)?;
        corpus.write("table_gzip", &format!("{k}.csv.gz"), gzip(text.as_bytes())?)?;
    }
    for (k, array) in arrays.iter().enumerate() {
        corpus.write("table_npy", &format!("{k}.npy"), array)?;
        corpus.write("table_gzip", &format!("{k}.npy.gz"), gzip(array)?)?;
    }
    Ok(())
}

fn points(n: usize, d: usize) -> Mat<f64> {
    let mut rng = stream(1, "points");
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

fn log_scale() -> LogScale {
    LogScale {
        bound: 1.0,
        knee: 1.0,
    }
}

fn maf(activation: Activation) -> Architecture {
    let (log_scale, ordering) = (log_scale(), Ordering::Random);
    Architecture::Maf {
        layers: 2,
        hidden: vec![4, 3],
        activation,
        ordering,
        log_scale,
        output_gain: 0.3,
    }
}

fn realnvp(nets: Nets) -> Architecture {
    let (log_scale, activation) = (log_scale(), Activation::Relu);
    Architecture::RealNvp {
        couplings: 2,
        hidden: vec![3, 4],
        activation,
        nets,
        log_scale,
        output_gain: 0.3,
    }
}

fn bases(d: usize) -> Result<Vec<Base>> {
    let x = points(60, d);
    let start = GaussianMixture::fit(
        Data::new(x.as_ref()),
        2,
        &EmConfig::default(),
        &mut stream(1, "em"),
    )?;
    Ok(vec![
        Base::StandardNormal,
        Base::GaussianMixture(start.clone()),
        Base::TrainedGaussianMixture {
            start,
            train_weights: true,
        },
    ])
}

fn flows(corpus: &Corpus) -> Result<()> {
    let architectures = [
        maf(Activation::Relu),
        maf(Activation::Tanh),
        realnvp(Nets::Shared),
        realnvp(Nets::Separate),
    ];
    for d in 1..4 {
        for (b, base) in bases(d)?.into_iter().enumerate() {
            for (a, architecture) in architectures.iter().enumerate() {
                let name = format!("{d}-{b}-{a}");
                let rng = &mut stream(1, "init");
                let own = || Affine::identity(d);
                let builder = || Flow::builder(architecture, own()).on_base(base.clone());
                let flow = builder().build(rng)?;
                corpus.write("flow", &name, flow.to_bytes())?;
                corpus.write("expert", &format!("flow-{name}"), saved(&flow)?)?;
                let flow = builder().conditioned(Affine::identity(2)).build(rng)?;
                corpus.write("flow", &format!("{name}-given"), flow.to_bytes())?;
            }
        }
    }
    Ok(())
}

/// The bytes of a file of one density.
fn saved(density: &dyn Density) -> Result<Vec<u8>> {
    archive::to_bytes(density).map_err(|NotSavable(why)| anyhow::anyhow!(why))
}

/// Experts in rotated coordinates, as posteriors have them.
fn experts(corpus: &Corpus) -> Result<()> {
    let log_likelihood = |t: &[f64]| -0.5 * ((t[0] * t[0] - 1.0) / 0.3).powi(2);
    let problem =
        posterior::from_fn(posterior::Prior::standard_normal(2), log_likelihood);
    let mut config = posterior::PosteriorConfig::quick(1000);
    for (_, settings) in &mut config.experts {
        settings.frame = posterior::Frame::Turned(0.5);
        settings.architecture = maf(Activation::Tanh);
        settings.fit.steps = 5;
    }
    let posterior = config.fit(&problem, 1, &FitContext::default())?;
    corpus.write("expert", "rotated", saved(posterior.q())?)
}

/// Every kind of expert, each small.
const SETTINGS: &str = r#"(
    partition: (folds: 2, repeats: 1, validation: 0.2, repeats_up_to: 1000, folds_up_to: 10),
    experts: [
        (name: "maf", kind: Flow((
            architecture: Maf(layers: 1, hidden: [3], activation: Tanh, ordering: Random, log_scale: (bound: 1.0, knee: 1.0), output_gain: 0.1),
            standardise: true, base: GaussianMixture((components: Fixed(2))),
            fit: (steps: 5, batch: Size(50), learning_rate: 2e-3, schedule: Constant, evaluate_every: 10, patience: Some(3))))),
        (name: "rbig", kind: Rbig((model: (layers: Count(1), marginal: Smooth(), rotation: Random)))),
        (name: "histogram", kind: Rbig((model: (layers: Count(2), marginal: Histogram(bins: 4, widen: 0.1, clamp: 1e-4), rotation: Pca)))),
        (name: "gmm", kind: GaussianMixture((components: Fixed(2), average: 2))),
        (name: "kde", kind: Kde(())),
    ],
    rule: Stacking(tolerance: 1e-8, max_iterations: 200, batch: 1),
)"#;

/// Fitted experts of every kind, and a fit after each of its steps.
fn units(corpus: &Corpus) -> Result<()> {
    let settings = Recipe::parse(SETTINGS).map_err(anyhow::Error::msg)?;
    let x = points(40, 2);
    let (train, valid) = x.split_at_row(30);
    let (train, valid) = (Data::new(train), Some(Data::new(valid)));
    for e in &settings.experts {
        let fitted = e.kind.fit(&e.name, train, valid, &streams(1), &FitContext::default())?;
        corpus.write(
            "unit",
            &e.name,
            fitted.to_bytes().context("it can be saved")?,
        )?;
    }
    for most in 1..6 {
        let checkpoints = store::CheckpointMemory::default();
        amf_fuzz::fit(&checkpoints, most).1?;
        for bytes in checkpoints.kept().values() {
            corpus.write("checkpoint", &most.to_string(), bytes)?;
        }
    }
    Ok(())
}

fn densities(corpus: &Corpus) -> Result<()> {
    let settings = Recipe::parse(SETTINGS).map_err(anyhow::Error::msg)?;
    for d in 1..3 {
        let mut x = points(40, d);
        x.col_mut(0).iter_mut().for_each(|v| *v = v.abs());
        let columns = [Column::positive("tau"), Column::real("mu")];
        for only in [
            None,
            Some("maf"),
            Some("rbig"),
            Some("histogram"),
            Some("gmm"),
            Some("kde"),
        ] {
            let mut settings = settings.clone();
            settings
                .experts
                .retain(|e| only.is_none_or(|o| e.name == o));
            let draws = Draws::new(&columns[..d], x.as_ref());
            let density = settings.fit(&draws, 1, &FitContext::default())?;
            let name = format!("{d}-{}", only.unwrap_or("all"));
            corpus.write(
                "density",
                &name,
                density
                    .to_bytes()
                    .map_err(|NotSavable(why)| anyhow::anyhow!(why))?,
            )?;
            if only.is_some() {
                let expert = density.mixture().experts()[0];
                corpus.write("expert", &name, saved(expert)?)?;
            }
        }
    }
    Ok(())
}
