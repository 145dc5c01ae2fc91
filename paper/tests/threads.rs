//! The whole smoke job with one, two and three threads: identical records, identical metrics, identical figures' data.

use paper::posterior::PosteriorFigure;
use paper::record::{self, FigureData, figure_path};
use paper::reproduce::{Options, reproduce};
use paper::results::Results;
use paper::schedule::Schedule;
use paper::work::Stamped;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// All that a run of the job leaves behind which the number of threads must not change.
struct Found {
    records: Results,
    figures: Vec<FigureData>,
    posterior_figures: Vec<PosteriorFigure>,
    metrics: String,
}

/// Only one seed of a family has a figure.
fn figures<T: Stamped>(folder: &Path, stems: impl Iterator<Item = String>) -> Vec<T> {
    stems
        .map(|stem| figure_path(folder, &stem))
        .filter(|path| path.exists())
        .map(|path| record::read(&path).unwrap())
        .collect()
}

fn results(threads: usize) -> Found {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        configs: home.join("configs/smoke"),
        committed: home.join("results/smoke"),
        schedule: Schedule::new(folder.path().to_owned(), threads),
        only: Vec::new(),
        protocols: Vec::new(),
        update: false,
        metrics_only: true,
    };
    reproduce(&options, &AtomicBool::new(false)).unwrap();
    let mut records = Results::read(folder.path()).unwrap();
    for r in &mut records.mixtures {
        r.seconds.fit.clear();
        (r.seconds.weights, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    for r in &mut records.posteriors {
        (r.seconds.fit, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    for r in &mut records.amortised {
        (r.seconds.fit, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    let at = folder.path();
    Found {
        figures: figures(at, records.mixtures.iter().map(|r| r.run.stem())),
        posterior_figures: figures(at, records.posteriors.iter().map(|r| r.run.stem())),
        metrics: std::fs::read_to_string(at.join("metrics.csv")).unwrap(),
        records,
    }
}

#[test]
fn the_number_of_threads_changes_no_digit_of_a_whole_job() {
    let one = results(1);
    assert!(one.records.mixtures.len() > 12 && one.records.posteriors.len() > 12);
    assert!(!one.records.amortised.is_empty());
    assert!(!one.figures.is_empty() && !one.posterior_figures.is_empty());
    for threads in [2, 3] {
        let more = results(threads);
        assert_eq!(one.metrics, more.metrics, "{threads} threads");
        let mixtures = one.records.mixtures.iter().zip(&more.records.mixtures);
        for (a, b) in mixtures {
            assert_eq!(a, b, "{threads} threads");
        }
        let posteriors = one.records.posteriors.iter().zip(&more.records.posteriors);
        for (a, b) in posteriors {
            assert_eq!(a, b, "{threads} threads");
        }
        assert!(
            one.figures == more.figures,
            "figures with {threads} threads"
        );
        assert!(
            one.posterior_figures == more.posterior_figures,
            "figures of posteriors with {threads} threads"
        );
        assert!(one.records == more.records);
    }
}
