//! Products with a handful of rows or columns, where a matrix kernel would waste most of its registers.
//!
//! Their order of summation is fixed here; the matrix-vector kernels of a library change it with the layout.

use autodiff::math;
use autodiff::matrix::col;
use faer::prelude::*;

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

/// `g += a^T b` for matrices of the same number of rows, by inner products.
pub(crate) fn accumulate_inner(mut g: MatMut<'_, f64>, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    for j in 0..b.ncols() {
        for k in 0..a.ncols() {
            g[(k, j)] += math::dot(col(a, k), col(b, j));
        }
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
            let mut g = Mat::<f64>::zeros(k, k);
            accumulate_inner(g.as_mut(), m.as_ref(), m.as_ref());
            let exact = m.transpose() * &m;
            assert!((&g - &exact).norm_max() < 1e-9);
        }
    }
}
