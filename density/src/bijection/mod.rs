//! Bijections that are not learnt: from data to coordinates in which they are easier to fit.

mod affine;
mod arcsinh;
mod rotation;
mod support;

pub use affine::Affine;
pub use arcsinh::{Arcsinh, ArcsinhColumn};
pub use rotation::Rotation;
pub use support::Support;

use faer::prelude::*;

/// A bijection of data (n x d) to coordinates (n x d).
#[derive(Debug, Clone, PartialEq)]
pub enum Bijection {
    /// Shift and scale.
    Affine(Affine),
    /// Rotation.
    Rotation(Rotation),
    /// The arcsinh transform of some columns.
    Arcsinh(Arcsinh),
    /// Bounded columns on the whole line: one support for each column.
    Supports(Vec<Support>),
    /// One after the other, from the data on; at least one.
    Chain(Vec<Bijection>),
}

impl Bijection {
    /// Number of columns d.
    #[must_use]
    pub fn dim(&self) -> usize {
        match self {
            Self::Affine(a) => a.dim(),
            Self::Rotation(r) => r.matrix().ncols(),
            Self::Arcsinh(a) => a.columns.len(),
            Self::Supports(s) => s.len(),
            Self::Chain(all) => all.first().map_or(0, Self::dim),
        }
    }

    /// The coordinates `u(x)` of each row, and `ln |det du/dx|`. Outside of the support of a
    /// bounded column the log-determinant is minus infinity, which makes any density zero there;
    /// the coordinates are then arbitrary.
    #[must_use]
    pub fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        match self {
            Self::Affine(a) => {
                let mut u = x.to_owned();
                a.transform(u.as_mut());
                (u, vec![a.log_det(); x.nrows()])
            }
            Self::Rotation(r) => (r.transform(x), vec![0.0; x.nrows()]),
            Self::Arcsinh(a) => a.transform_and_log_det(x),
            Self::Supports(s) => support::to_line(s, x),
            Self::Chain(all) => {
                let (mut u, mut log_det) = (x.to_owned(), vec![0.0; x.nrows()]);
                for bijection in all {
                    let (next, its) = bijection.transform_and_log_det(u.as_ref());
                    log_det.iter_mut().zip(&its).for_each(|(l, own)| *l += own);
                    u = next;
                }
                (u, log_det)
            }
        }
    }

    /// The data x of coordinates u, row by row.
    #[must_use]
    pub fn inverse(&self, mut u: Mat<f64>) -> Mat<f64> {
        match self {
            Self::Affine(a) => {
                a.inverse(u.as_mut());
                u
            }
            Self::Rotation(r) => r.inverse(u.as_ref()),
            Self::Arcsinh(a) => a.inverse(u),
            Self::Supports(s) => support::from_line(s, u),
            Self::Chain(all) => all.iter().rev().fold(u, |u, b| b.inverse(u)),
        }
    }
}
