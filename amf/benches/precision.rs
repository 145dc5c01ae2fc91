//! What single precision could bring: faer's products and the element-wise passes of a training
//! step, in f32 and in f64.
//!
//! `cargo bench -p amf --bench precision`. docs/performance.md draws the conclusion.

use divan::{Bencher, black_box};
use numerics::random::{standard_normal, stream};

fn main() {
    divan::main();
}

/// Standard normal numbers, from which both precisions take theirs.
fn numbers(n: usize) -> Vec<f64> {
    let mut rng = stream(1, "precision");
    (0..n).map(|_| standard_normal(&mut rng)).collect()
}

macro_rules! in_precision {
    ($name:ident, $real:ty) => {
        #[divan::bench_group]
        mod $name {
            use super::*;
            use faer::linalg::matmul::matmul;
            use faer::{Accum, Mat, Par};

            fn vector(n: usize) -> Vec<$real> {
                numbers(n).into_iter().map(|v| v as $real).collect()
            }

            fn matrix(n: usize, m: usize) -> Mat<$real> {
                let v = vector(n * m);
                Mat::from_fn(n, m, |i, j| v[j * n + i])
            }

            /// One dense layer forward and backward: rows, width.
            #[divan::bench(args = [(256, 128), (1000, 128), (256, 64), (1000, 64)])]
            fn products(bencher: Bencher, (n, w): (usize, usize)) {
                let (x, d, weights) = (matrix(n, w), matrix(n, w), matrix(w, w));
                let (mut out, mut dx, mut dw) = (matrix(n, w), matrix(n, w), matrix(w, w));
                bencher.bench_local(|| {
                    matmul(out.as_mut(), Accum::Replace, &x, &weights, 1.0, Par::Seq);
                    matmul(dw.as_mut(), Accum::Add, x.transpose(), &d, 1.0, Par::Seq);
                    matmul(
                        dx.as_mut(),
                        Accum::Replace,
                        &d,
                        weights.transpose(),
                        1.0,
                        Par::Seq,
                    );
                    black_box((&out, &dx, &dw));
                });
            }

            /// Bias and rectifier over 500 x 128.
            #[divan::bench]
            fn bias_and_relu(bencher: Bencher) {
                let (x, b) = (vector(500 * 128), vector(128));
                let mut y = x.clone();
                bencher.bench_local(|| {
                    for ((y, x), b) in y.chunks_exact_mut(500).zip(x.chunks_exact(500)).zip(&b) {
                        for (y, x) in y.iter_mut().zip(x) {
                            let s = x + b;
                            *y = if s < 0.0 { 0.0 } else { s };
                        }
                    }
                    black_box(&y);
                });
            }

            /// The passes of the segment form over 500 points and 128 units: lines from a table,
            /// gradients to a table.
            #[divan::bench]
            fn segments(bencher: Bencher) {
                const H: usize = 128;
                let stride = H + 8;
                let (slope, intercept) = (vector(129 * stride), vector(129 * stride));
                let (mut sums, mut moments) = (vector(129 * stride), vector(129 * stride));
                let (x, w) = (vector(500), vector(H));
                let (mut hidden, mut dw) = (vector(H), vector(H));
                bencher.bench_local(|| {
                    for (n, &x) in x.iter().enumerate() {
                        let at = (n * 77 % 129) * stride;
                        let (a, b) = (&slope[at..at + H], &intercept[at..at + H]);
                        for ((h, a), b) in hidden.iter_mut().zip(a).zip(b) {
                            let z = x * a + b;
                            *h = if z < 0.0 { 0.0 } else { z };
                        }
                        let (p, q) = (&mut sums[at..at + H], &mut moments[at..at + H]);
                        for ((((h, w), dw), p), q) in
                            hidden.iter().zip(&w).zip(&mut dw).zip(p).zip(q)
                        {
                            *dw += x * h;
                            let d = if *h > 0.0 { x * w } else { 0.0 };
                            *p += d;
                            *q += x * d;
                        }
                    }
                    black_box((&dw, &sums, &moments));
                });
            }

            /// Adam over the parameters of the published RealNVP.
            #[divan::bench]
            fn adam(bencher: Bencher) {
                let n = 274_464;
                let g = vector(n);
                let (mut p, mut m, mut v) = (vector(n), vector(n), vec![1.0; n]);
                bencher.bench_local(|| {
                    for (((p, g), m), v) in p.iter_mut().zip(&g).zip(&mut m).zip(&mut v) {
                        *m = 0.9 * *m + 0.1 * g;
                        *v = 0.999 * *v + 0.001 * g * g;
                        *p -= 0.001 * *m / (<$real>::sqrt(*v) + 1e-8);
                    }
                    black_box(&p);
                });
            }
        }
    };
}

in_precision!(double, f64);
in_precision!(single, f32);
