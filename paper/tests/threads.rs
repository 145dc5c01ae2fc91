//! The whole smoke job with one, two and three threads: identical records, identical metrics, identical figures' data.

use paper::record::{self, FigureData, Record};
use paper::reproduce::{Options, reproduce};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// All that a run of the job leaves behind which the number of threads must not change.
fn results(threads: usize) -> (Vec<Record>, Vec<FigureData>, String) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        configs: home.join("configs/smoke"),
        committed: home.join("results/smoke"),
        out: folder.path().to_owned(),
        only: Vec::new(),
        protocols: Vec::new(),
        threads,
        force: false,
        update: false,
        metrics_only: true,
    };
    reproduce(&options, &AtomicBool::new(false)).unwrap();
    let mut records = record::read_all(folder.path()).unwrap();
    let figures = records
        .iter()
        .map(|r| FigureData::path(folder.path(), &r.run))
        // Only one seed of a family has a figure.
        .filter(|path| path.exists())
        .map(|path| record::read(&path).unwrap())
        .collect();
    for r in &mut records {
        r.seconds.fit.clear();
        (r.seconds.weights, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    let metrics = std::fs::read_to_string(folder.path().join("metrics.csv")).unwrap();
    (records, figures, metrics)
}

#[test]
fn the_number_of_threads_changes_no_digit_of_a_whole_job() {
    let one = results(1);
    assert!(one.0.len() > 12);
    for threads in [2, 3] {
        let (records, figures, metrics) = results(threads);
        assert_eq!(one.2, metrics, "{threads} threads");
        for (a, b) in one.0.iter().zip(&records) {
            assert_eq!(a, b, "{threads} threads");
        }
        assert!(one.1 == figures, "figures with {threads} threads");
        assert_eq!(one.0.len(), records.len());
    }
}
