//! The contract of a layer.

use crate::blocks::ParamBlock;
use autodiff::{Graph, Var};
use faer::prelude::*;
use numerics::random::Pcg64;
use std::fmt::Debug;

/// Scratch memory for evaluations outside the tape; its content is arbitrary.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(crate) activations: [Vec<f64>; 2],
    pub(crate) outputs: [Vec<f64>; 2],
    pub(crate) hidden: Vec<Vec<f64>>,
}

/// An invertible map of R^d whose Jacobian determinant is cheap.
///
/// A layer holds its shape and its offset in the flow's flat parameter vector; the parameters
/// themselves are passed in. After the coordinates, rows may have columns of a context, which
/// layers read and never change.
pub trait Layer: Debug + Send + Sync {
    /// Number of coordinates d.
    fn dim(&self) -> usize;

    /// Number of its parameters.
    fn num_params(&self) -> usize;

    /// Its parameters in named blocks.
    fn param_blocks(&self) -> Vec<ParamBlock>;

    /// Rows to process together.
    fn chunk_rows(&self) -> usize;

    /// Draws its initial parameters into `params`.
    fn initialise(&self, params: &mut [f64], rng: &mut Pcg64);

    /// Indices into `params` of everything that training changes.
    fn trainable(&self) -> Vec<usize>;

    /// Forward, data -> base, in place on n x d points; adds `ln |det dz/dx|` to the n values of
    /// `log_det`.
    fn transform_and_log_det(
        &self,
        params: &[f64],
        x: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    );

    /// Inverse, base -> data, in place on n x d points; adds `ln |det dx/dz|` to the n values of
    /// `log_det`.
    fn inverse_and_log_det(
        &self,
        params: &[f64],
        z: MatMut<'_, f64>,
        log_det: &mut [f64],
        ws: &mut Workspace,
    );

    /// Records the forward map of an n x (d + c + 1) state: d coordinates, c columns of the context
    /// and the log-determinant so far.
    fn record(&self, graph: &mut Graph<'_>, state: Var) -> Var;
}
