//! Experts fitted in other coordinates than those of the data.

use super::{Expert, ExpertError, ExpertObserver, Fitted, Progress};
use faer::prelude::*;
use flows::Data;

/// A bijection of the data to coordinates in which they are easier to fit.
pub(super) trait Coordinates {
    /// The coordinates `u(x)` of each row (n x d), and `ln |det du/dx|`.
    fn enter(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>);

    /// The density `q(u(x)) |det du/dx|` of a density q of the coordinates.
    fn around(self, density: Box<dyn Expert>) -> Box<dyn Expert>;
}

/// What [`inside`] fits with.
type Fit<'a> = &'a mut dyn FnMut(
    Data<'_>,
    Option<Data<'_>>,
    ExpertObserver<'_>,
) -> Result<Fitted, ExpertError>;

/// A fit in other coordinates, and what it found as a density of the data; likelihoods along the way are those of the data.
pub(super) fn inside(
    coordinates: impl Coordinates,
    train: Data<'_>,
    validation: Option<Data<'_>>,
    fit: Fit<'_>,
    observe: ExpertObserver<'_>,
) -> Result<Fitted, ExpertError> {
    let (points, log_det) = coordinates.enter(train.points);
    let offset = train.mean_nll(&log_det);
    let held_out = validation.map(|v| (coordinates.enter(v.points), v.weights));
    let own = held_out.as_ref().map(|((points, log_det), weights)| {
        let data = Data {
            points: points.as_ref(),
            weights: *weights,
        };
        (data, data.mean_nll(log_det))
    });
    let held_out_offset = own.map_or(0.0, |o| o.1);
    let train = Data {
        points: points.as_ref(),
        ..train
    };
    let fitted = fit(train, own.map(|o| o.0), &mut |progress| {
        observe(Progress {
            held_out_nll: progress.held_out_nll.map(|l| l + held_out_offset),
            ..progress
        })
    })?;
    let mut report = fitted.report;
    for e in &mut report.history {
        e.train_nll += offset;
        e.held_out_nll = e.held_out_nll.map(|l| l + held_out_offset);
    }
    Ok(Fitted {
        expert: coordinates.around(fitted.expert),
        report,
        seconds: fitted.seconds,
    })
}
