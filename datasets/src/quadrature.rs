//! Gauss-Legendre quadrature.

use numerics::math::cos;
use std::f64::consts::PI;

/// Nodes in increasing order and weights on [-1, 1], exact for polynomials up to degree `2 N - 1`.
pub(crate) struct GaussLegendre<const N: usize> {
    pub(crate) nodes: [f64; N],
    pub(crate) weights: [f64; N],
}

impl<const N: usize> GaussLegendre<N> {
    /// The roots of Legendre's polynomial of degree `N`, by Newton's method from Tricomi's
    /// approximation.
    pub(crate) fn new() -> Self {
        let (mut nodes, mut weights) = ([0.0; N], [0.0; N]);
        for i in 0..N.div_ceil(2) {
            let mut x = cos(PI * (i as f64 + 0.75) / (N as f64 + 0.5));
            // Convergence is quadratic from an error below 1e-2: five steps leave rounding alone.
            for _ in 0..5 {
                let (p, slope) = legendre(N, x);
                x -= p / slope;
            }
            let (_, slope) = legendre(N, x);
            let w = 2.0 / ((1.0 - x * x) * slope * slope);
            (nodes[i], nodes[N - 1 - i]) = (-x, x);
            (weights[i], weights[N - 1 - i]) = (w, w);
        }
        if N % 2 == 1 {
            nodes[N / 2] = 0.0;
        }
        Self { nodes, weights }
    }
}

/// `P_n(x)` and `P_n'(x)` by the three-term recurrence.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut previous, mut p) = (0.0, 1.0);
    for k in 0..n {
        let k = k as f64;
        (previous, p) = (p, ((2.0 * k + 1.0) * x * p - k * previous) / (k + 1.0));
    }
    (p, n as f64 * (x * p - previous) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_for_polynomials_up_to_degree_2n_minus_1() {
        fn check<const N: usize>() {
            let rule = GaussLegendre::<N>::new();
            assert!(rule.nodes.is_sorted());
            for degree in 0..2 * N {
                let got: f64 = rule
                    .nodes
                    .iter()
                    .zip(&rule.weights)
                    .map(|(x, w)| w * x.powi(degree as i32))
                    .sum();
                let exact = if degree % 2 == 0 {
                    2.0 / (degree as f64 + 1.0)
                } else {
                    0.0
                };
                assert!((got - exact).abs() < 1e-14, "N {N}, degree {degree}: {got}");
            }
        }
        check::<1>();
        check::<2>();
        check::<5>();
        check::<24>();
        check::<32>();
    }
}
