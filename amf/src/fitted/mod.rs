//! Densities fitted to a user's draws: fit, evaluation, saving, loading.
//!
//! [`Recipe::fit`](crate::Recipe::fit) makes a [`FittedDensity`] from [`Draws`]: named columns, bounded
//! ones through a bijection to the whole line, optional weights, and a [`Report`] of its quality and
//! whether it can be trusted.

mod calibration;
mod chains;
mod column;
mod columns;
mod delivered;
mod dependence;
mod draw_check;
mod draws;
mod error;
mod fit;
mod prepare;
mod report;
mod save;
mod score;
mod walls;
mod wild;

pub use calibration::{Calibration, Region};
pub use chains::RowDependence;
pub use column::Column;
pub use draw_check::DrawCheck;
pub use draws::Draws;
pub use error::DrawsError;
pub use fit::DensityError;
pub use report::{BaselineReport, Comparison, ExpertLine, LeftOut, Report, Trust, Verdict};
pub use score::Score;
pub use walls::suggested_support;

use density::{Density, Mixture, Transformed, mixture_log_prob};
use density::{Description, NotSavable, Writer};
use faer::prelude::*;
use numerics::matrix::{col_mut, select_rows};
use numerics::random::Pcg64;

/// A density on named columns: a mixture of experts composed with bijections of bounded columns.
///
/// With `u(x)` the columns on the whole line, `q(x) = q_mixture(u(x)) |det du/dx|`, and exactly
/// zero outside of the support.
pub struct FittedDensity {
    columns: Vec<Column>,
    names: Vec<String>,
    density: Transformed<Mixture>,
    report: Report,
}

impl FittedDensity {
    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the experts, in order.
    #[must_use]
    pub fn expert_names(&self) -> &[String] {
        &self.names
    }

    /// The mixture of experts, on the whole line.
    #[must_use]
    pub fn mixture(&self) -> &Mixture {
        &self.density.density
    }

    /// The report of the fit.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// `ln q_k(x_n)` of the rows (n) under the experts (K), nats. Also minus infinity where a row
    /// is so far out that the arithmetic overflows.
    ///
    /// # Panics
    /// If x has another number of columns.
    #[must_use]
    pub fn log_prob_table(&self, x: MatRef<'_, f64>) -> Mat<f64> {
        let (u, log_det) = self.on_the_line(x);
        let mut table = self.within_arithmetic(u.as_ref());
        for k in 0..table.ncols() {
            density::add_log_det(col_mut(table.as_mut(), k), &log_det);
        }
        table
    }

    /// n draws of one expert alone, n x d.
    ///
    /// # Panics
    /// If there is no expert of that index.
    #[must_use]
    pub fn sample_expert(&self, expert: usize, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let u = self.mixture().experts()[expert].sample(n, rng);
        self.density.bijection.inverse(u)
    }

    /// The table of log-densities on the whole line. Beyond 1e150 squares overflow, and infinity
    /// minus infinity is NaN; the density there underflows to zero. Rows that hold NaN have NaN.
    fn within_arithmetic(&self, u: MatRef<'_, f64>) -> Mat<f64> {
        let mut table = self.mixture().log_prob_table(u);
        for k in 0..table.ncols() {
            for (i, l) in col_mut(table.as_mut(), k).iter_mut().enumerate() {
                if l.is_nan() && !u.row(i).iter().any(|v| v.is_nan()) {
                    *l = f64::NEG_INFINITY;
                }
            }
        }
        table
    }

    fn on_the_line(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        assert_eq!(x.ncols(), self.columns.len(), "one value for each column");
        self.density.bijection.transform_and_log_det(x)
    }
}

impl Density for FittedDensity {
    fn dim(&self) -> usize {
        self.columns.len()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let (u, log_det) = self.on_the_line(x);
        let mut out = self.mixture().log_prob(u.as_ref());
        let far: Vec<usize> = (0..out.len()).filter(|&i| out[i].is_nan()).collect();
        if !far.is_empty() {
            // Without the experts whose arithmetic overflows there.
            let table = self.within_arithmetic(select_rows(u.as_ref(), &far).as_ref());
            let log_q = mixture_log_prob(table.as_ref(), self.mixture().weights());
            far.iter().zip(log_q).for_each(|(&i, l)| out[i] = l);
        }
        density::add_log_det(&mut out, &log_det);
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.density.sample(n, rng)
    }

    fn describe(&self, w: &mut Writer) -> Result<Description, NotSavable> {
        self.density.describe(w)
    }
}
