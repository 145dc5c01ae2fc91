//! One contract for every bijection and flow: invertible, right Jacobian, right gradients, normalised.

mod common;

use autodiff::{Graph, Tape, check};
use common::ln_abs_det;
use faer::prelude::*;
use flows::{
    Activation, Architecture, Base, Data, EmConfig, Flow, GaussianMixture, LogScale, Nets,
    Ordering, Standardise,
};
use numerics::math;
use numerics::random::{self, standard_normal};

const SCALE: LogScale = LogScale {
    bound: 2.0,
    knee: 2.0,
};

fn architectures() -> Vec<(&'static str, Architecture)> {
    let maf = |layers, hidden: &[usize], ordering, activation| Architecture::Maf {
        layers,
        hidden: hidden.to_vec(),
        activation,
        ordering,
        log_scale: SCALE,
        output_gain: 1.0,
    };
    let nvp = |couplings, hidden: &[usize], nets, activation| Architecture::RealNvp {
        couplings,
        hidden: hidden.to_vec(),
        activation,
        nets,
        log_scale: SCALE,
        output_gain: 1.0,
    };
    vec![
        ("made", maf(1, &[12], Ordering::Reversed, Activation::Tanh)),
        (
            "made, three hidden layers",
            maf(1, &[10, 20, 9], Ordering::Reversed, Activation::Tanh),
        ),
        (
            "maf",
            maf(3, &[16, 16], Ordering::Reversed, Activation::Tanh),
        ),
        (
            "maf, random order",
            maf(4, &[24, 24], Ordering::Random, Activation::Tanh),
        ),
        (
            "maf, relu",
            maf(2, &[16, 16], Ordering::Reversed, Activation::Relu),
        ),
        ("coupling", nvp(1, &[8], Nets::Shared, Activation::Tanh)),
        (
            "realnvp, separate nets",
            nvp(4, &[8, 8], Nets::Separate, Activation::Tanh),
        ),
        (
            "realnvp, shared net",
            nvp(3, &[8, 9, 7], Nets::Shared, Activation::Tanh),
        ),
        (
            "realnvp, relu",
            nvp(4, &[12, 12], Nets::Separate, Activation::Relu),
        ),
    ]
}

fn flow(architecture: &Architecture, d: usize) -> Flow {
    on_base(architecture, d, Base::StandardNormal)
}

fn on_base(architecture: &Architecture, d: usize, base: Base) -> Flow {
    let shift = (0..d).map(|j| j as f64 - 0.7).collect();
    let scale = (0..d).map(|j| 0.5 + 0.3 * j as f64).collect();
    let standardise = Standardise::new(shift, scale).unwrap();
    let rng = &mut random::stream(11, "contract");
    Flow::on_base(architecture, standardise, base, rng).unwrap()
}

/// Two overlapping normals of different covariances.
fn mixture(d: usize) -> GaussianMixture {
    let mut x = points(80, d, "mixture");
    for i in 0..40 {
        for j in 0..d {
            x[(i, j)] = 1.2 + 0.6 * x[(i, j)];
        }
    }
    let em = EmConfig::default();
    GaussianMixture::fit(Data::new(x.as_ref()), 2, &em, &mut random::stream(1, "em")).unwrap()
}

/// A MAF on a trained mixture that has left the place where it began, and a RealNVP on a fixed one.
fn on_mixtures(d: usize) -> [(&'static str, Flow); 2] {
    let architectures = architectures();
    let trained = Base::TrainedGaussianMixture {
        start: mixture(d),
        train_weights: true,
    };
    let mut maf = on_base(&architectures[2].1, d, trained);
    let at = maf.params().len() - 2 * (d + 1);
    for (k, v) in maf.params_mut()[at..].iter_mut().enumerate() {
        *v = 0.3 - 0.1 * k as f64;
    }
    let fixed = Base::GaussianMixture(mixture(d));
    let realnvp = on_base(&architectures[6].1, d, fixed);
    [
        ("maf on a trained mixture", maf),
        ("realnvp on a mixture", realnvp),
    ]
}

fn points(n: usize, d: usize, label: &str) -> Mat<f64> {
    let mut rng = random::stream(5, label);
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

fn for_each(dims: &[usize], mut test: impl FnMut(&str, &Flow, usize)) {
    for (name, architecture) in architectures() {
        for &d in dims {
            test(&format!("{name}, d = {d}"), &flow(&architecture, d), d);
        }
    }
    for &d in dims {
        for (name, flow) in on_mixtures(d) {
            test(&format!("{name}, d = {d}"), &flow, d);
        }
    }
}

#[test]
fn round_trip_and_opposite_log_dets() {
    for_each(&[1, 2, 3, 8], |name, flow, d| {
        // More rows than one chunk.
        let x = points(600, d, "x");
        let (z, forward) = flow.transform_and_log_det(x.as_ref());
        let (back, inverse) = flow.inverse_and_log_det(z.as_ref());
        assert!(
            (&back - &x).norm_max() < 1e-10,
            "{name}: {}",
            (&back - &x).norm_max()
        );
        for (f, i) in forward.iter().zip(&inverse) {
            assert!((f + i).abs() < 1e-10, "{name}: {f} {i}");
        }
        assert!((&z - &x).norm_max() > 0.1, "{name}: the map does nothing");
    });
}

/// Jacobian dz/dx at one point.
fn jacobian(flow: &Flow, x: &[f64]) -> Mat<f64> {
    common::jacobian(x, |x| {
        let m = Mat::from_fn(1, x.len(), |_, j| x[j]);
        flow.transform_and_log_det(m.as_ref()).0
    })
}

#[test]
fn log_det_equals_the_numeric_jacobian() {
    for_each(&[1, 2, 3, 8], |name, flow, d| {
        if name.contains("relu") {
            return; // piecewise linear nets: a difference across a kink is not the derivative
        }
        let x = points(3, d, "jacobian");
        let log_det = flow.transform_and_log_det(x.as_ref()).1;
        for (i, given) in log_det.iter().enumerate() {
            let row: Vec<f64> = (0..d).map(|j| x[(i, j)]).collect();
            let numeric = ln_abs_det(jacobian(flow, &row));
            assert!((given - numeric).abs() < 1e-7, "{name}: {given} {numeric}");
        }
    });
}

#[test]
fn a_made_is_triangular_in_its_order_with_every_entry_below_the_diagonal() {
    for d in [2, 3, 8] {
        for hidden in [vec![32], vec![24, 24], vec![16, 32, 16]] {
            let architecture = Architecture::Maf {
                layers: 1,
                hidden,
                activation: Activation::Tanh,
                ordering: Ordering::Reversed,
                log_scale: SCALE,
                output_gain: 1.0,
            };
            let flow = flow(&architecture, d);
            let x: Vec<f64> = (0..d).map(|j| 0.3 * j as f64 - 0.4).collect();
            let jacobian = jacobian(&flow, &x);
            for i in 0..d {
                for j in 0..d {
                    let v: f64 = jacobian[(i, j)];
                    if j > i {
                        assert_eq!(v, 0.0, "d = {d}: dz_{i}/dx_{j}");
                    } else {
                        assert!(v.abs() > 1e-12, "d = {d}: dz_{i}/dx_{j} vanishes");
                    }
                }
            }
        }
    }
}

#[test]
fn a_stack_in_reversed_orders_mixes_all_coordinates() {
    for_each(&[2, 3, 8], |name, flow, d| {
        if flow.layers().len() < 3 || name.contains("relu") || name.contains("random") {
            return;
        }
        let jacobian = jacobian(flow, &vec![0.2; d]);
        for i in 0..d {
            for j in 0..d {
                assert!(jacobian[(i, j)] != 0.0, "{name}: dz_{i}/dx_{j} vanishes");
            }
        }
    });
}

#[test]
fn gradients_agree_with_differences_and_reach_every_parameter() {
    for_each(&[1, 2, 3, 8], |name, flow, d| {
        let n = 40;
        let x = points(n, d, "gradient");
        let weights: Vec<f64> = (0..n).map(|i| 0.1 + 0.02 * i as f64).collect();
        // The likelihood of standardised points, on the tape.
        let record = |params: &[f64], grad: Option<&mut [f64]>| {
            let mut tape = Tape::new();
            let mut graph = Graph::new(&mut tape, params);
            let state = graph.constant_with(n, d + 1, |mut m| {
                for j in 0..d {
                    m.rb_mut().col_mut(j).copy_from(x.col(j));
                }
                m.col_mut(d).fill(0.0);
            });
            let w = graph.constant(n, 1, &weights);
            let log_prob = flow.record_log_prob(&mut graph, state);
            let loss = graph.weighted_sum(log_prob, w);
            if let Some(grad) = grad {
                tape.backward(loss, params, grad);
            }
            tape.scalar(loss)
        };
        let mut grad = vec![0.0; flow.params().len()];
        record(flow.params(), Some(&mut grad));
        let trainable = flow.trainable();
        let masked = (0..grad.len()).filter(|i| !trainable.contains(i));
        for i in masked {
            assert_eq!(
                (grad[i], flow.params()[i]),
                (0.0, 0.0),
                "{name}: masked weight {i}"
            );
        }
        let dead = trainable.iter().filter(|&&i| grad[i] == 0.0).count();
        // A rectified unit can be off for every point.
        let allowed = if name.contains("relu") {
            trainable.len() / 2
        } else {
            0
        };
        assert!(
            dead <= allowed,
            "{name}: {dead} of {} without gradient",
            trainable.len()
        );
        if name.contains("relu") {
            return;
        }
        let pick: Vec<usize> = trainable
            .iter()
            .copied()
            .step_by(1 + trainable.len() / 120)
            .collect();
        let values: Vec<f64> = pick.iter().map(|&i| flow.params()[i]).collect();
        let picked: Vec<f64> = pick.iter().map(|&i| grad[i]).collect();
        let worst = check::gradient(&values, &picked, 1e-3, |v| {
            let mut params = flow.params().to_vec();
            pick.iter().zip(v).for_each(|(&i, &v)| params[i] = v);
            record(&params, None)
        });
        assert!(worst.unwrap().error < 1e-7, "{name}: {worst:?}");
    });
}

#[test]
fn tape_and_direct_evaluation_agree() {
    for_each(&[1, 2, 3, 8], |name, flow, d| {
        let n = 30;
        let x = points(n, d, "agree");
        let mut tape = Tape::new();
        let mut graph = Graph::new(&mut tape, flow.params());
        let state = graph.constant_with(n, d + 1, |mut m| {
            for j in 0..d {
                m.rb_mut().col_mut(j).copy_from(x.col(j));
            }
            m.col_mut(d).fill(0.0);
        });
        let state = flow
            .layers()
            .iter()
            .fold(state, |s, l| l.record(&mut graph, s));
        let recorded = tape.value(state);
        let plain =
            Flow::from_layers(Standardise::identity(d), vec![], Base::StandardNormal).unwrap();
        drop(plain);
        // Undo the standardisation so that the layers see x.
        let (shift, scale): (Vec<f64>, Vec<f64>) = (0..d)
            .map(|j| (j as f64 - 0.7, 0.5 + 0.3 * j as f64))
            .unzip();
        let raw = Mat::from_fn(n, d, |i, j| x[(i, j)] * scale[j] + shift[j]);
        let (z, log_det) = flow.transform_and_log_det(raw.as_ref());
        let jacobian: f64 = scale.iter().map(|s| -math::ln(*s)).sum();
        for i in 0..n {
            for j in 0..d {
                assert!((z[(i, j)] - recorded[(i, j)]).abs() < 1e-12, "{name}");
            }
            assert!(
                (log_det[i] - jacobian - recorded[(i, d)]).abs() < 1e-12,
                "{name}"
            );
        }
    });
}

#[test]
fn density_integrates_to_one_in_two_dimensions() {
    for_each(&[2], |name, flow, _| {
        // Wide enough for the normal base under log-scales within +-2 a layer; trapezoid on a fine grid.
        let (lo, hi, m) = (-14.0, 14.0, 1200usize);
        let h = (hi - lo) / m as f64;
        let mut total = 0.0;
        for i in 0..m {
            let row = Mat::from_fn(m, 2, |j, c| {
                let k = if c == 0 { i } else { j };
                lo + (k as f64 + 0.5) * h
            });
            total += flow
                .log_prob(row.as_ref())
                .iter()
                .map(|&l| math::exp(l))
                .sum::<f64>()
                * h
                * h;
        }
        assert!((total - 1.0).abs() < 2e-3, "{name}: integral {total}");
    });
}

#[test]
fn samples_carry_their_log_density_and_have_the_right_law() {
    for_each(&[1, 2, 3, 8], |name, flow, d| {
        let (x, log_prob) = flow.sample_with_log_prob(500, &mut random::stream(9, "sample"));
        let again = flow.sample(500, &mut random::stream(9, "sample"));
        assert_eq!(x, again, "{name}");
        for (a, b) in flow.log_prob(x.as_ref()).iter().zip(&log_prob) {
            assert!((a - b).abs() < 1e-9, "{name}: {a} {b}");
        }
        if name.contains("mixture") {
            return;
        }
        // Mapped back, samples are standard normal: the mean of |z|^2 is d +- sqrt(2 d / n).
        let z = flow.transform_and_log_det(x.as_ref()).0;
        let squares = z.norm_l2() * z.norm_l2() / 500.0;
        let error = (2.0 * d as f64 / 500.0).sqrt();
        assert!(
            (squares - d as f64).abs() < 4.0 * error,
            "{name}: {squares}"
        );
    });
}

#[test]
fn no_rows_give_no_rows() {
    let flow = flow(&architectures()[2].1, 3);
    let empty = Mat::<f64>::zeros(0, 3);
    assert!(flow.log_prob(empty.as_ref()).is_empty());
    assert_eq!(flow.sample(0, &mut random::stream(1, "none")).nrows(), 0);
}

#[test]
fn rows_do_not_depend_on_their_neighbours() {
    for_each(&[2, 8], |name, flow, d| {
        let x = points(700, d, "neighbours");
        let all = flow.log_prob(x.as_ref());
        let some = flow.log_prob(x.as_ref().subrows(300, 257));
        for (a, b) in all[300..557].iter().zip(&some) {
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{name}");
        }
    });
}
