//! A folder in which `amf` is run.

use amf::FittedDensity;
use density::Density;
use faer::Mat;
use numerics::math::exp;
use numerics::random::{standard_normal, stream};
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Small experts and few folds.
pub const CONFIG: &str = "(
    partition: (folds: 2, repeats: 1, validation: 0.2, repeats_up_to: 1000, folds_up_to: 1000),
    experts: [
        (name: \"realnvp\", kind: Flow((
            architecture: RealNvp(couplings: 2, hidden: [8], activation: Tanh, nets: Shared, log_scale: (bound: 1.0, knee: 1.0), output_gain: 0.0),
            standardise: true,
            fit: (steps: 60, batch: Size(50), learning_rate: 1e-2, schedule: Constant, evaluate_every: 10, patience: Some(3)),
        ))),
        (name: \"gmm\", kind: GaussianMixture((components: Fixed(2)))),
        (name: \"rbig\", kind: Rbig((model: (layers: Count(1), marginal: Smooth(), rotation: Random)))),
    ],
    rule: Stacking(tolerance: 1e-8, max_iterations: 300, batch: 1),
)";

pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let this = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        this.write("run.ron", CONFIG.as_bytes());
        this
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// A program of the shell.
    pub fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(name, format!("#!/bin/sh\n{text}\n").as_bytes());
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs `amf` in the folder; arguments are separated by blanks.
    pub fn amf(&self, args: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_amf"))
            .current_dir(self.folder.path())
            .args(args.split_whitespace())
            .output()
            .unwrap()
    }

    /// Standard output of a run that goes well.
    pub fn out(&self, args: &str) -> String {
        let run = self.amf(args);
        let errors = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(0), "amf {args}: {errors}");
        String::from_utf8(run.stdout).unwrap()
    }

    /// The one line of a run that is refused and leaves nothing behind.
    pub fn refused(&self, args: &str) -> String {
        let before = self.files();
        let run = self.amf(args);
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "amf {args}: {said}");
        assert_eq!(said.lines().count(), 1, "amf {args}: {said}");
        assert!(said.starts_with("amf: "), "amf {args}: {said}");
        assert!(run.stdout.is_empty(), "amf {args}");
        assert_eq!(self.files(), before, "amf {args} left something behind");
        said
    }

    /// Fits, draws, scores, evaluates and looks; gives the model and its draws.
    pub fn round_trip(&self, fit: &str, data: &str) -> FittedDensity {
        let printed = self.out(&format!(
            "fit {fit} --config run.ron --out model.safetensors"
        ));
        assert!(printed.is_empty());
        let first = std::fs::read(self.path("model.safetensors")).unwrap();
        self.out(&format!(
            "fit {fit} --config run.ron --out again.safetensors --threads 1"
        ));
        assert_eq!(
            first,
            std::fs::read(self.path("again.safetensors")).unwrap()
        );
        let density = FittedDensity::from_bytes(&first).unwrap();
        let names: Vec<String> = density.columns().iter().map(|c| c.name.clone()).collect();

        let draws = self.out("sample model.safetensors -n 50 --seed 3");
        assert_eq!(draws.lines().next().unwrap(), names.join(","));
        assert_eq!(draws, self.out("sample model.safetensors -n 50 --seed 3"));
        let own = density.sample(50, &mut stream(3, "sample"));
        assert_eq!(numbers(&draws), own);

        self.write("draws.csv", draws.as_bytes());
        self.out("log-prob model.safetensors draws.csv --out scores.csv");
        let scores = std::fs::read_to_string(self.path("scores.csv")).unwrap();
        assert_eq!(scores.lines().next(), Some("log_prob"));
        let scores = numbers(&scores);
        for (i, l) in density.log_prob(own.as_ref()).iter().enumerate() {
            assert_eq!(l.to_bits(), scores[(i, 0)].to_bits(), "row {i}");
        }
        // Rows that were read from the file itself.
        let lines = self.out(&format!("log-prob model.safetensors {data}"));
        assert!(lines.lines().count() > 100);

        let table = self.out(&format!("evaluate model.safetensors {data}"));
        assert!(table.contains("mixture") && table.contains("W2") && table.contains("gmm"));
        let json = self.out(&format!("evaluate model.safetensors {data} --json"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(
            json["mixture"]["nll"]["value"].is_f64()
                && (1..=3).contains(&json["experts"].as_array().unwrap().len())
        );
        assert!(json["mixture"]["w2"].as_f64().unwrap() > 0.0);

        self.out(&format!(
            "plot model.safetensors --data {data} --out corner.svg"
        ));
        let figure = std::fs::read_to_string(self.path("corner.svg")).unwrap();
        assert!(figure.contains("<svg") && figure.contains(&names[0]));
        let info = self.out("info model.safetensors");
        assert!(info.contains("verdict: ") && info.contains("gmm_bic") && info.contains(&names[0]));
        let json = self.out("info model.safetensors --json");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["columns"][0]["name"], names[0].as_str());
        density
    }
}

pub fn numbers(csv: &str) -> Mat<f64> {
    let rows: Vec<Vec<f64>> = csv
        .lines()
        .skip(1)
        .map(|l| l.split(',').map(|v| v.parse().unwrap()).collect())
        .collect();
    Mat::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j])
}

/// Two columns: one real, one positive that depends on it.
pub fn draws(n: usize) -> Vec<[f64; 2]> {
    let mut rng = stream(1, "command");
    (0..n)
        .map(|_| {
            let z = standard_normal(&mut rng);
            [z, exp(0.5 * z + 0.3 * standard_normal(&mut rng))]
        })
        .collect()
}

pub fn csv(header: &str, rows: impl IntoIterator<Item = String>) -> Vec<u8> {
    let rows: Vec<String> = rows.into_iter().collect();
    format!("{header}\n{}\n", rows.join("\n")).into_bytes()
}

pub fn plain() -> Vec<u8> {
    csv("mu,tau", draws(150).iter().map(|[a, b]| format!("{a},{b}")))
}
