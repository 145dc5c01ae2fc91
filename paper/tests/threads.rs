//! The whole smoke job with one, two and three threads: identical records, identical metrics, identical figures' data.

use crate::smoke_options;
use paper::engine::Experiment;
use paper::engine::record::{figure, read_all};
use paper::engine::reproduce::reproduce;
use paper::experiments::amortised::{AmortisedRecord, AmortisedRun};
use paper::experiments::canon::{CanonRecord, CanonRun};
use paper::experiments::mixture::{MixtureFigure, MixtureRecord, MixtureRun};
use paper::experiments::posterior::{PosteriorFigure, PosteriorRecord, PosteriorRun};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// All that a run of the job leaves behind which the number of threads must not change.
struct Found {
    mixtures: Vec<MixtureRecord>,
    posteriors: Vec<PosteriorRecord>,
    amortised: Vec<AmortisedRecord>,
    canon: Vec<CanonRecord>,
    figures: Vec<MixtureFigure>,
    posterior_figures: Vec<PosteriorFigure>,
    metrics: String,
}

/// Only one seed of a family has a figure.
fn figures<E: Experiment>(folder: &Path, records: &[E::Record]) -> Vec<E::Figure> {
    let data = records.iter().map(|r| figure::<E>(folder, r).unwrap());
    data.flatten().collect()
}

fn results(threads: usize) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    reproduce(
        &smoke_options(at.to_owned(), threads),
        &AtomicBool::new(false),
    )
    .unwrap();
    let mut mixtures = read_all::<MixtureRun>(at).unwrap();
    for r in &mut mixtures {
        r.seconds.fit.clear();
        (r.seconds.weights, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    let mut posteriors = read_all::<PosteriorRun>(at).unwrap();
    for r in &mut posteriors {
        (r.seconds.fit, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    let mut amortised = read_all::<AmortisedRun>(at).unwrap();
    for r in &mut amortised {
        (r.seconds.fit, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    let mut canon = read_all::<CanonRun>(at).unwrap();
    for r in &mut canon {
        (r.seconds.fit, r.seconds.evaluation) = (0.0, 0.0);
        r.provenance.threads = 0;
    }
    Found {
        figures: figures::<MixtureRun>(at, &mixtures),
        posterior_figures: figures::<PosteriorRun>(at, &posteriors),
        metrics: std::fs::read_to_string(at.join("metrics.csv")).unwrap(),
        mixtures,
        posteriors,
        amortised,
        canon,
    }
}

#[test]
fn the_number_of_threads_changes_no_digit_of_a_whole_job() {
    let one = results(1);
    assert!(one.mixtures.len() > 12 && one.posteriors.len() > 12);
    assert!(!one.amortised.is_empty() && !one.canon.is_empty());
    assert!(!one.figures.is_empty() && !one.posterior_figures.is_empty());
    for threads in [2, 3] {
        let more = results(threads);
        assert_eq!(one.metrics, more.metrics, "{threads} threads");
        assert_eq!(one.mixtures, more.mixtures, "{threads} threads");
        assert_eq!(one.posteriors, more.posteriors, "{threads} threads");
        assert_eq!(one.amortised, more.amortised, "{threads} threads");
        assert_eq!(one.canon, more.canon, "{threads} threads");
        assert!(
            one.figures == more.figures,
            "figures with {threads} threads"
        );
        assert!(
            one.posterior_figures == more.posterior_figures,
            "figures of posteriors with {threads} threads"
        );
    }
}
