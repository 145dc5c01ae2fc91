//! The map of a fitted model, its inverse, and the density that follows from it.

use crate::columns::Columns;
use crate::describe;
use crate::model::Rbig;
use density::{Affine, Density, Description, NotSavable, Writer};
use faer::{Mat, MatRef};
use numerics::math::{LN_2PI, ln};
use numerics::random::{Pcg64, fill_standard_normal};
use rayon::prelude::*;

/// Rows that pass through all layers together: with their buffers they fit into a core's cache.
const CHUNK: usize = 512;

impl Density for Rbig {
    fn dim(&self) -> usize {
        self.standardisation.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        self.log_prob_of_first(self.layers.len(), x)
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        let mut z = Mat::zeros(n, self.dim());
        let mut row = vec![0.0; self.dim()];
        for i in 0..n {
            fill_standard_normal(rng, &mut row);
            for (j, v) in row.iter().enumerate() {
                z[(i, j)] = *v;
            }
        }
        self.inverse_and_log_det(z.as_ref()).0
    }

    fn describe(&self, writer: &mut Writer) -> Result<Description, NotSavable> {
        Ok(describe::write(self, writer))
    }
}

impl Rbig {
    /// Data -> Gaussian: `z` (n x d) and `ln |det dz/dx|` of each row, nats. A row that is not
    /// finite gives values that are not finite.
    ///
    /// # Panics
    /// If x does not have `dim` columns.
    #[must_use]
    pub fn transform_and_log_det(&self, x: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.in_chunks(x, |block, spare, log_det| {
            self.forward(block, spare, log_det, self.layers.len());
        })
    }

    /// Gaussian -> data: `x` (n x d) and `ln |det dx/dz|` of each row, nats.
    ///
    /// # Panics
    /// If z does not have `dim` columns.
    #[must_use]
    pub fn inverse_and_log_det(&self, z: MatRef<'_, f64>) -> (Mat<f64>, Vec<f64>) {
        self.in_chunks(z, |block, spare, log_det| {
            for layer in self.layers.iter().rev() {
                block.replace(spare, |z, x, rows| layer.rotation.inverse(z, x, rows));
                for (j, m) in layer.marginals.iter().enumerate() {
                    m.inverse(block.column_mut(j), log_det);
                }
            }
            let (means, deviations) = self.standardisation.parts();
            for (j, (mean, deviation)) in means.iter().zip(deviations).enumerate() {
                let level = ln(*deviation);
                for (v, l) in block.column_mut(j).iter_mut().zip(&mut *log_det) {
                    *v = mean + *v * deviation;
                    *l += level;
                }
            }
        })
    }

    /// The log-density of the model cut off after its first `layers` layers.
    pub(crate) fn log_prob_of_first(&self, layers: usize, x: MatRef<'_, f64>) -> Vec<f64> {
        assert_eq!(x.ncols(), self.dim(), "columns of x");
        let mut out = vec![0.0; x.nrows()];
        out.par_chunks_mut(CHUNK).enumerate().for_each_init(
            Vec::new,
            |spare, (chunk, log_prob)| {
                let mut block = Columns::from_rows(x, chunk * CHUNK, log_prob.len());
                self.forward(&mut block, spare, log_prob, layers);
                add_base(&block, log_prob);
            },
        );
        out
    }

    fn forward(
        &self,
        block: &mut Columns,
        spare: &mut Vec<f64>,
        log_det: &mut [f64],
        layers: usize,
    ) {
        standardise(block, log_det, &self.standardisation);
        for layer in self.layers.iter().take(layers) {
            for (j, m) in layer.marginals.iter().enumerate() {
                m.forward(block.column_mut(j), log_det);
            }
            block.replace(spare, |x, z, rows| layer.rotation.forward(x, z, rows));
        }
    }

    fn in_chunks(
        &self,
        x: MatRef<'_, f64>,
        map: impl Fn(&mut Columns, &mut Vec<f64>, &mut [f64]) + Sync,
    ) -> (Mat<f64>, Vec<f64>) {
        assert_eq!(x.ncols(), self.dim(), "columns of the input");
        let mut out = Mat::zeros(x.nrows(), x.ncols());
        let mut log_det = vec![0.0; x.nrows()];
        let blocks: Vec<Columns> = log_det
            .par_chunks_mut(CHUNK)
            .enumerate()
            .map_init(Vec::new, |spare, (chunk, log_det)| {
                let mut block = Columns::from_rows(x, chunk * CHUNK, log_det.len());
                map(&mut block, spare, log_det);
                block
            })
            .collect();
        for (chunk, block) in blocks.iter().enumerate() {
            block.write(&mut out, chunk * CHUNK);
        }
        (out, log_det)
    }
}

/// Forward standardisation of each column.
pub(crate) fn standardise(x: &mut Columns, log_det: &mut [f64], by: &Affine) {
    let (means, deviations) = by.parts();
    for (j, (mean, deviation)) in means.iter().zip(deviations).enumerate() {
        let level = ln(*deviation);
        for (v, l) in x.column_mut(j).iter_mut().zip(&mut *log_det) {
            *v = (*v - mean) / deviation;
            *l -= level;
        }
    }
}

/// Adds `sum_i ln phi(z_i)`.
pub(crate) fn add_base(z: &Columns, log_prob: &mut [f64]) {
    for j in 0..z.dim() {
        for (z, l) in z.column(j).iter().zip(&mut *log_prob) {
            *l -= 0.5 * (z * z + LN_2PI);
        }
    }
}
