//! Products with a handful of rows or columns, where a matrix kernel would waste most of its
//! registers.
//!
//! Their order of summation is fixed here; the matrix-vector kernels of a library change it with
//! the layout.

use faer::prelude::*;
use numerics::math;
use numerics::matrix::{col, col_mut};

/// `out += sum_k w(k) m_k` over the columns k of `m`, four columns at a time.
#[inline]
pub(crate) fn accumulate(out: &mut [f64], m: MatRef<'_, f64>, w: impl Fn(usize) -> f64) {
    let n = out.len();
    let cols = m.ncols();
    let mut k = 0;
    while k + 4 <= cols {
        let (a, b, c, d) = (
            &col(m, k)[..n],
            &col(m, k + 1)[..n],
            &col(m, k + 2)[..n],
            &col(m, k + 3)[..n],
        );
        let (wa, wb, wc, wd) = (w(k), w(k + 1), w(k + 2), w(k + 3));
        for (i, o) in out.iter_mut().enumerate() {
            *o += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
        }
        k += 4;
    }
    while k < cols {
        let (a, wa) = (&col(m, k)[..n], w(k));
        for (o, a) in out.iter_mut().zip(a) {
            *o += wa * a;
        }
        k += 1;
    }
}

/// `out = bias + sum_k w(k) m_k` over the columns k of `m`.
#[inline]
pub(crate) fn affine(out: &mut [f64], bias: f64, m: MatRef<'_, f64>, w: impl Fn(usize) -> f64) {
    let n = out.len();
    match m.ncols() {
        0 => out.fill(bias),
        1 => {
            let (a, wa) = (&col(m, 0)[..n], w(0));
            for (o, a) in out.iter_mut().zip(a) {
                *o = bias + wa * a;
            }
        }
        _ => {
            let (a, b) = (&col(m, 0)[..n], &col(m, 1)[..n]);
            let (wa, wb) = (w(0), w(1));
            for (i, o) in out.iter_mut().enumerate() {
                *o = bias + (wa * a[i] + wb * b[i]);
            }
            accumulate(out, m.subcols(2, m.ncols() - 2), |k| w(k + 2));
        }
    }
}

/// `g_k += a_k . b` for the columns k of `a`; `g` is one column.
pub(crate) fn accumulate_inner(g: MatMut<'_, f64>, a: MatRef<'_, f64>, b: &[f64]) {
    for (k, g) in col_mut(g, 0).iter_mut().enumerate() {
        *g += math::dot(col(a, k), b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_the_definition() {
        for (n, k) in [(1, 1), (5, 3), (17, 4), (33, 9)] {
            let m = Mat::from_fn(n, k, |i, j| (i * 3 + j * 7 % 5) as f64);
            let w: Vec<f64> = (0..k).map(|j| j as f64 - 1.5).collect();
            let mut out = vec![1.0; n];
            accumulate(&mut out, m.as_ref(), |j| w[j]);
            for i in 0..n {
                let exact: f64 = 1.0 + (0..k).map(|j| w[j] * m[(i, j)]).sum::<f64>();
                assert!((out[i] - exact).abs() < 1e-12);
            }
            let mut fresh = vec![f64::NAN; n];
            affine(&mut fresh, 1.0, m.as_ref(), |j| w[j]);
            assert!(fresh.iter().zip(&out).all(|(a, b)| (a - b).abs() < 1e-12));
            let mut g = Mat::<f64>::zeros(k, k);
            for j in 0..k {
                let column = g.as_mut().subcols_mut(j, 1);
                accumulate_inner(column, m.as_ref(), col(m.as_ref(), j));
            }
            let exact = m.transpose() * &m;
            assert!((&g - &exact).norm_max() < 1e-9);
        }
    }
}
