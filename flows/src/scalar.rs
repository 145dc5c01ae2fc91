//! Rectified networks of one scalar input, computed exactly with less arithmetic.
//!
//! Every conditioner of a two-dimensional flow reads one number x. With rectified units, the first
//! hidden layer of such a network is piecewise linear in x with one kink for each unit, at
//! `t_i = -b_i / w_i`. Between two neighbouring kinks the set S of active units is fixed, so the
//! argument of the second layer is a line,
//!
//! ```text
//! z(x) = sum_{i in S} (w_i x + b_i) W_i + c = x A_S + B_S,
//! ```
//!
//! and A and B change by one row `W_i` from segment to segment. Tabulating them takes h1 h2
//! multiply-adds for any number of points; each point then costs h2 instead of h1 h2. The backward
//! pass is the mirror image: with the gradients of z summed by segment, the gradient of `W_i` needs
//! only the sums over the segments where unit i is active, and those are differences of running
//! sums.

use crate::activation::Activation;
use crate::dense::Dense;
use faer::prelude::*;
use numerics::math::dot;
use numerics::matrix::col;
use std::cell::RefCell;

/// Values processed together.
const LANES: usize = 8;

/// A network x -> hidden -> hidden -> outputs with rectified units.
#[derive(Debug, Clone)]
pub(crate) struct ScalarNet {
    /// Widths of the two hidden layers.
    h1: usize,
    h2: usize,
    /// Offset of the first weight of the first layer and the distance to the next.
    w1: (usize, usize),
    b1: usize,
    /// Weights of the second layer, h1 x h2 column-major, and its biases.
    w2: usize,
    b2: usize,
    /// Weights of the last layer, h2 x outputs column-major, and its biases.
    w3: usize,
    b3: usize,
    /// For each output, whether it sees the hidden units (else it is its bias).
    sees: Vec<bool>,
}

/// Tables over the segments between kinks: row k holds for the segment above the k-th smallest
/// kink.
#[derive(Default)]
struct Tables {
    /// Distance from one row to the next: the width rounded up, plus padding so that rows use all
    /// sets of the cache.
    stride: usize,
    /// Units in the order of their kinks.
    order: Vec<u32>,
    /// Kinks, unit by unit.
    unsorted: Vec<f64>,
    /// Kinks, ascending.
    kinks: Vec<f64>,
    slope: Vec<f64>,
    intercept: Vec<f64>,
    /// Last layer's weights, output by output.
    out_weights: Vec<f64>,
    out_grads: Vec<f64>,
    /// Sums of dz and of x dz by segment.
    sums: Vec<f64>,
    moments: Vec<f64>,
    hidden: Vec<f64>,
    dz: Vec<f64>,
}

thread_local! {
    /// Reused, so that a step allocates nothing.
    static TABLES: RefCell<Tables> = RefCell::default();
}

impl ScalarNet {
    /// The layers as such a network, if they have its shape.
    pub fn recognise(layers: &[Dense], activation: Activation) -> Option<Self> {
        let [first, second, last] = layers else {
            return None;
        };
        let all = |layer: &Dense, prefix: usize| layer.prefixes().iter().all(|&p| p == prefix);
        let (h1, h2) = (first.n_out(), second.n_out());
        let fits = activation == Activation::Relu
            && all(first, 1)
            && all(second, h1)
            && last.prefixes().iter().all(|&p| p == 0 || p == h2);
        fits.then(|| Self {
            h1,
            h2,
            w1: (first.weight_offset(), first.n_in()),
            b1: first.bias_offset(),
            w2: second.weight_offset(),
            b2: second.bias_offset(),
            w3: last.weight_offset(),
            b3: last.bias_offset(),
            sees: last.prefixes().iter().map(|&p| p > 0).collect(),
        })
    }

    fn unit(&self, params: &[f64], i: usize) -> (f64, f64) {
        (params[self.w1.0 + i * self.w1.1], params[self.b1 + i])
    }

    /// Tabulates slopes and intercepts.
    fn tabulate(&self, params: &[f64], t: &mut Tables) {
        let (h1, h2) = (self.h1, self.h2);
        t.stride = h2.next_multiple_of(LANES) + LANES;
        let kink = |i: usize| {
            let (w, b) = self.unit(params, i);
            // A unit without slope never changes: its kink may lie anywhere.
            if w == 0.0 { f64::INFINITY } else { -b / w }
        };
        t.unsorted.clear();
        t.unsorted.extend((0..h1).map(kink));
        let at = |i: u32| t.unsorted[i as usize];
        t.order.clear();
        t.order.extend(0..h1 as u32);
        t.order
            .sort_unstable_by(|&a, &b| at(a).total_cmp(&at(b)).then(a.cmp(&b)));
        t.kinks.clear();
        t.kinks.extend(t.order.iter().map(|&i| at(i)));
        t.slope.resize((h1 + 1) * t.stride, 0.0);
        t.intercept.resize((h1 + 1) * t.stride, 0.0);
        let weights = &params[self.w2..self.w2 + h1 * h2];
        for first in (0..h2).step_by(LANES) {
            let width = LANES.min(h2 - first);
            let columns: [&[f64]; LANES] =
                std::array::from_fn(|j| &weights[(first + j.min(width - 1)) * h1..][..h1]);
            // Below all kinks the units with a negative weight are active, and those that are
            // constant.
            let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
            b[..width].copy_from_slice(&params[self.b2 + first..self.b2 + first + width]);
            let mut change = |i: usize, w: f64, c: f64| {
                for j in 0..LANES {
                    a[j] += w * columns[j][i];
                    b[j] += c * columns[j][i];
                }
                (a, b)
            };
            for i in 0..h1 {
                let (w, c) = self.unit(params, i);
                if w < 0.0 || (w == 0.0 && c > 0.0) {
                    change(i, w, c);
                }
            }
            let mut store = |k: usize, (a, b): ([f64; LANES], [f64; LANES])| {
                let at = k * t.stride + first;
                t.slope[at..at + LANES].copy_from_slice(&a);
                t.intercept[at..at + LANES].copy_from_slice(&b);
            };
            store(0, change(0, 0.0, 0.0));
            for (k, &i) in t.order.iter().enumerate() {
                let (w, c) = self.unit(params, i as usize);
                // Upwards through the kink: a unit of positive weight wakes, one of negative weight
                // falls asleep.
                let (w, c) = match w {
                    w if w > 0.0 => (w, c),
                    w if w < 0.0 => (-w, -c),
                    _ => (0.0, 0.0),
                };
                store(k + 1, change(i as usize, w, c));
            }
        }
        let padded = h2.next_multiple_of(LANES);
        t.out_weights.clear();
        t.out_weights.resize(self.sees.len() * padded, 0.0);
        for (m, row) in t.out_weights.chunks_exact_mut(padded).enumerate() {
            row[..h2].copy_from_slice(&params[self.w3 + m * h2..][..h2]);
        }
        t.hidden.resize(padded, 0.0);
        t.dz.resize(padded, 0.0);
        // The padding of the last block repeats a column: it must not count.
        for k in 0..=h1 {
            let at = k * t.stride;
            t.slope[at + h2..at + padded].fill(0.0);
            t.intercept[at + h2..at + padded].fill(0.0);
        }
    }

    /// The outputs (n x m) for n inputs; the segment of each is left in `segments`, if given.
    pub fn forward(
        &self,
        params: &[f64],
        x: &[f64],
        mut out: MatMut<'_, f64>,
        mut segments: Option<&mut [f64]>,
    ) {
        TABLES.with_borrow_mut(|t| {
            self.tabulate(params, t);
            let padded = self.h2.next_multiple_of(LANES);
            for (n, &x) in x.iter().enumerate() {
                let k = t.kinks.partition_point(|&kink| kink < x);
                if let Some(s) = segments.as_deref_mut() {
                    s[n] = k as f64;
                }
                let at = k * t.stride;
                line(&mut t.hidden, x, &t.slope[at..], &t.intercept[at..]);
                for (m, &sees) in self.sees.iter().enumerate() {
                    let bias = params[self.b3 + m];
                    let seen = if sees {
                        dot(&t.hidden, &t.out_weights[m * padded..(m + 1) * padded])
                    } else {
                        0.0
                    };
                    out[(n, m)] = bias + seen;
                }
            }
        });
    }

    /// Adds the gradients of all parameters to `param_grad`, given that of the outputs, and writes
    /// that of the inputs to `dx`, if given.
    pub fn backward(
        &self,
        params: &[f64],
        param_grad: &mut [f64],
        x: &[f64],
        segments: &[f64],
        dout: MatRef<'_, f64>,
        mut dx: Option<&mut [f64]>,
    ) {
        TABLES.with_borrow_mut(|t| {
            self.tabulate(params, t);
            let padded = self.h2.next_multiple_of(LANES);
            let size = (self.h1 + 1) * t.stride;
            for table in [&mut t.sums, &mut t.moments] {
                table.clear();
                table.resize(size, 0.0);
            }
            t.out_grads.clear();
            t.out_grads.resize(self.sees.len() * padded, 0.0);
            for (n, &x) in x.iter().enumerate() {
                let at = segments[n] as usize * t.stride;
                line(&mut t.hidden, x, &t.slope[at..], &t.intercept[at..]);
                t.dz.fill(0.0);
                for m in (0..self.sees.len()).filter(|&m| self.sees[m]) {
                    let own = m * padded..(m + 1) * padded;
                    let (w, dw) = (&t.out_weights[own.clone()], &mut t.out_grads[own]);
                    outer(dout[(n, m)], &t.hidden, w, &mut t.dz, dw);
                }
                let (slope, sums, moments) =
                    (&t.slope[at..], &mut t.sums[at..], &mut t.moments[at..]);
                let d = collect(x, &t.hidden, &t.dz, slope, sums, moments);
                if let Some(dx) = dx.as_deref_mut() {
                    dx[n] = d;
                }
            }
            for (m, &sees) in self.sees.iter().enumerate() {
                param_grad[self.b3 + m] += numerics::math::sum(col(dout, m));
                if sees {
                    let own = &t.out_grads[m * padded..][..self.h2];
                    add(&mut param_grad[self.w3 + m * self.h2..][..self.h2], own);
                }
            }
            self.hidden_gradients(params, param_grad, t);
        });
    }

    /// Gradients of the two hidden layers from the sums by segment.
    fn hidden_gradients(&self, params: &[f64], param_grad: &mut [f64], t: &mut Tables) {
        let (h1, h2, stride) = (self.h1, self.h2, t.stride);
        // Running sums from above: row k becomes the sum over segments k and higher.
        for table in [&mut t.sums, &mut t.moments] {
            for k in (0..h1).rev() {
                let (low, high) = table.split_at_mut((k + 1) * stride);
                add(&mut low[k * stride..], &high[..stride]);
            }
        }
        add(&mut param_grad[self.b2..self.b2 + h2], &t.sums[..h2]);
        for first in (0..h2).step_by(LANES) {
            let width = LANES.min(h2 - first);
            let row = |table: &[f64], k: usize| -> [f64; LANES] {
                std::array::from_fn(|j| table[k * stride + first + j])
            };
            let (all, all_moments) = (row(&t.sums, 0), row(&t.moments, 0));
            for (k, &i) in t.order.iter().enumerate() {
                let i = i as usize;
                let (w, c) = self.unit(params, i);
                // Sums over the segments where the unit is active.
                let (mut p, mut q) = (row(&t.sums, k + 1), row(&t.moments, k + 1));
                if w < 0.0 {
                    for j in 0..LANES {
                        p[j] = all[j] - p[j];
                        q[j] = all_moments[j] - q[j];
                    }
                } else if w == 0.0 {
                    if c <= 0.0 {
                        continue;
                    }
                    (p, q) = (all, all_moments);
                }
                let (mut dw, mut db) = (0.0, 0.0);
                for j in 0..width {
                    let at = self.w2 + (first + j) * h1 + i;
                    param_grad[at] += w * q[j] + c * p[j];
                    dw += q[j] * params[at];
                    db += p[j] * params[at];
                }
                param_grad[self.w1.0 + i * self.w1.1] += dw;
                param_grad[self.b1 + i] += db;
            }
        }
    }
}

/// `hidden = max(x slope + intercept, 0)`; NaN stays NaN.
#[inline]
fn line(hidden: &mut [f64], x: f64, slope: &[f64], intercept: &[f64]) {
    let n = hidden.len();
    for ((h, a), b) in hidden.iter_mut().zip(&slope[..n]).zip(&intercept[..n]) {
        let z = x * a + b;
        *h = if z < 0.0 { 0.0 } else { z };
    }
}

/// `dz += d w`, `dw += d hidden`.
#[inline]
fn outer(d: f64, hidden: &[f64], w: &[f64], dz: &mut [f64], dw: &mut [f64]) {
    for (((h, w), dz), dw) in hidden.iter().zip(w).zip(dz).zip(dw) {
        *dz += d * w;
        *dw += d * h;
    }
}

/// Adds `dz` (where the unit is active) and `x dz` to the sums of a segment; returns `slope . dz`.
#[inline]
fn collect(
    x: f64,
    hidden: &[f64],
    dz: &[f64],
    slope: &[f64],
    sums: &mut [f64],
    moments: &mut [f64],
) -> f64 {
    let (hidden, dz) = (hidden.as_chunks::<LANES>().0, dz.as_chunks::<LANES>().0);
    let slope = slope.as_chunks::<LANES>().0;
    let (sums, moments) = (
        sums.as_chunks_mut::<LANES>().0,
        moments.as_chunks_mut::<LANES>().0,
    );
    let mut total = [0.0; LANES];
    for ((((h, d), a), p), q) in hidden.iter().zip(dz).zip(slope).zip(sums).zip(moments) {
        for j in 0..LANES {
            let d = if h[j] > 0.0 { d[j] } else { 0.0 };
            p[j] += d;
            q[j] += x * d;
            total[j] += a[j] * d;
        }
    }
    let [a, b, c, d, e, f, g, h] = total;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

#[inline]
fn add(to: &mut [f64], from: &[f64]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{self, standard_normal, stream};

    /// The same network by dense products.
    fn dense(
        layers: &[Dense],
        params: &[f64],
        x: &Mat<f64>,
        c: &Mat<f64>,
    ) -> (Mat<f64>, Vec<f64>, Mat<f64>) {
        let n = x.nrows();
        let mut values = vec![x.clone()];
        for (l, layer) in layers.iter().enumerate() {
            let mut out = Mat::zeros(n, layer.n_out());
            let activation = (l < 2).then_some(Activation::Relu);
            layer.forward(params, values[l].as_ref(), out.as_mut(), activation);
            values.push(out);
        }
        let mut grad = vec![0.0; params.len()];
        let mut d = c.clone();
        for (l, layer) in layers.iter().enumerate().rev() {
            let mut dx = Mat::zeros(n, layer.n_in());
            let input = (l > 0).then_some(Activation::Relu);
            layer.backward(
                params,
                &mut grad,
                values[l].as_ref(),
                d.as_ref(),
                Some(dx.as_mut()),
                input,
            );
            d = dx;
        }
        (values.pop().unwrap(), grad, d)
    }

    #[test]
    fn outputs_and_gradients_equal_those_of_dense_products() {
        let mut rng = stream(3, "scalar");
        for (h1, h2, inputs, sees) in [
            (128, 128, 1, vec![true]),
            (64, 64, 2, vec![false, true, false, true]),
            (5, 3, 1, vec![true, true]),
            (1, 9, 1, vec![true]),
            (33, 17, 3, vec![true, false, true]),
        ] {
            let first = Dense::new(inputs, vec![1; h1], 0);
            let second = Dense::new(h1, vec![h1; h2], first.num_params());
            let offset = first.num_params() + second.num_params();
            let last = Dense::new(
                h2,
                sees.iter().map(|&s| if s { h2 } else { 0 }).collect(),
                offset,
            );
            let layers = [first, second, last];
            let mut params = vec![0.0; layers.iter().map(Dense::num_params).sum()];
            for layer in &layers {
                layer.initialise(&mut params, 1.5, &mut rng);
            }
            // A unit without slope that is on, one that is off.
            if h1 > 8 {
                let bias = layers[0].bias_offset();
                (params[0], params[bias]) = (0.0, 0.7);
                (params[inputs], params[bias + 1]) = (0.0, -0.7);
            }
            let n = 300;
            let x = Mat::from_fn(n, inputs, |_, _| 2.0 * standard_normal(&mut rng));
            let c = Mat::from_fn(n, sees.len(), |_, _| random::standard_normal(&mut rng));
            let (values, grad, dx) = dense(&layers, &params, &x, &c);

            let net = ScalarNet::recognise(&layers, Activation::Relu).unwrap();
            let mut out = Mat::zeros(n, sees.len());
            let mut segments = vec![0.0; n];
            let column = col(x.as_ref(), 0);
            net.forward(&params, column, out.as_mut(), Some(&mut segments));
            assert!((&out - &values).norm_max() < 1e-12, "{h1} {h2}: values");
            let mut own_grad = vec![0.0; params.len()];
            let mut own_dx = vec![f64::NAN; n];
            net.backward(
                &params,
                &mut own_grad,
                column,
                &segments,
                c.as_ref(),
                Some(&mut own_dx),
            );
            for (a, b) in own_dx.iter().zip(col(dx.as_ref(), 0)) {
                assert!((a - b).abs() < 1e-11, "{h1} {h2}: input: {a} {b}");
            }
            for (i, (a, b)) in own_grad.iter().zip(&grad).enumerate() {
                assert!(
                    (a - b).abs() < 1e-10 * (1.0 + b.abs()),
                    "{h1} {h2}: parameter {i}: {a} {b}"
                );
            }
        }
    }

    #[test]
    fn other_networks_are_not_taken_for_scalar_ones() {
        let layers = |n_in: usize, p: usize| {
            [
                Dense::new(n_in, vec![p; 4], 0),
                Dense::new(4, vec![4; 4], 0),
                Dense::new(4, vec![4; 2], 0),
            ]
        };
        assert!(ScalarNet::recognise(&layers(1, 1), Activation::Relu).is_some());
        assert!(ScalarNet::recognise(&layers(1, 1), Activation::Tanh).is_none());
        assert!(ScalarNet::recognise(&layers(2, 2), Activation::Relu).is_none());
        assert!(ScalarNet::recognise(&layers(1, 1)[..2], Activation::Relu).is_none());
    }

    #[test]
    fn extreme_inputs_stay_finite_and_nan_stays_nan() {
        let layers = [
            Dense::new(1, vec![1; 8], 0),
            Dense::new(8, vec![8; 8], 16),
            Dense::new(8, vec![8; 1], 88),
        ];
        let mut params = vec![0.0; 97];
        for layer in &layers {
            layer.initialise(&mut params, 1.0, &mut stream(1, "extreme"));
        }
        let net = ScalarNet::recognise(&layers, Activation::Relu).unwrap();
        let mut out = Mat::zeros(5, 1);
        net.forward(
            &params,
            &[1e12, -1e12, 0.0, f64::NAN, 1e-300],
            out.as_mut(),
            None,
        );
        assert!((0..5).all(|i| out[(i, 0)].is_finite() != (i == 3)));
    }
}
