//! The contract of flows for conditional ones: for every context invertible, right Jacobian, triangular, right gradients, normalised.

mod common;

use autodiff::{Graph, Tape, check};
use common::{jacobian, ln_abs_det};
use faer::prelude::*;
use flows::{
    Activation, Architecture, Base, ConditionalFlow, Data, EmConfig, GaussianMixture, LogScale,
    Nets, Ordering, Standardise,
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
    let (relu, tanh) = (Activation::Relu, Activation::Tanh);
    vec![
        ("made", maf(1, &[12], Ordering::Reversed, tanh)),
        ("maf", maf(3, &[16, 16], Ordering::Reversed, tanh)),
        (
            "maf, random order",
            maf(2, &[9, 20, 13], Ordering::Random, tanh),
        ),
        ("maf, relu", maf(2, &[16, 16], Ordering::Reversed, relu)),
        ("coupling", nvp(1, &[8], Nets::Shared, tanh)),
        (
            "realnvp, separate nets",
            nvp(4, &[8, 8], Nets::Separate, tanh),
        ),
        (
            "realnvp, shared net",
            nvp(3, &[8, 9, 7], Nets::Shared, tanh),
        ),
        ("realnvp, relu", nvp(4, &[12, 12], Nets::Shared, relu)),
    ]
}

fn standardise(d: usize) -> Standardise {
    let shift = (0..d).map(|j| j as f64 - 0.7).collect();
    let scale = (0..d).map(|j| 0.5 + 0.3 * j as f64).collect();
    Standardise::new(shift, scale).unwrap()
}

fn normals(n: usize, d: usize, label: &str) -> Mat<f64> {
    let mut rng = random::stream(5, label);
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

fn flow(architecture: &Architecture, d: usize, c: usize, base: Base) -> ConditionalFlow {
    let rng = &mut random::stream(11, "contract");
    ConditionalFlow::new(architecture, standardise(d), standardise(c), base, rng).unwrap()
}

/// Every architecture on a normal, and one of each kind on a mixture whose trained means have moved.
fn for_each(dims: &[usize], mut test: impl FnMut(&str, &ConditionalFlow, usize, usize)) {
    for &d in dims {
        for c in [1, 3] {
            for (name, architecture) in architectures() {
                let on_normal = flow(&architecture, d, c, Base::StandardNormal);
                test(&format!("{name}, d = {d}, c = {c}"), &on_normal, d, c);
                if name != "maf" && name != "realnvp, separate nets" {
                    continue;
                }
                let x = normals(60, d, "mixture");
                let em = EmConfig::default();
                let rng = &mut random::stream(1, "em");
                let start = GaussianMixture::fit(Data::new(x.as_ref()), 2, &em, rng).unwrap();
                let base = Base::TrainedGaussianMixture {
                    start,
                    train_weights: true,
                };
                let mut on_mixture = flow(&architecture, d, c, base);
                let at = on_mixture.num_params() - 2 * (d + 1);
                for (k, v) in on_mixture.params_mut()[at..].iter_mut().enumerate() {
                    *v = 0.3 - 0.1 * k as f64;
                }
                let name = format!("{name} on a mixture, d = {d}, c = {c}");
                test(&name, &on_mixture, d, c);
            }
        }
    }
}

#[test]
fn round_trip_and_opposite_log_dets() {
    for_each(&[1, 2, 3, 6], |name, flow, d, c| {
        // More rows than one chunk.
        let (x, y) = (normals(600, d, "x"), normals(600, c, "y"));
        let (z, forward) = flow.transform_and_log_det(x.as_ref(), y.as_ref());
        let (back, inverse) = flow.inverse_and_log_det(z.as_ref(), y.as_ref());
        let error = (&back - &x).norm_max();
        assert!(error < 1e-10, "{name}: {error}");
        for (f, i) in forward.iter().zip(&inverse) {
            assert!((f + i).abs() < 1e-10, "{name}: {f} {i}");
        }
        assert!((&z - &x).norm_max() > 0.1, "{name}: the map does nothing");
    });
}

/// Base point for one point and one context.
fn base_point(flow: &ConditionalFlow, x: &[f64], y: &[f64]) -> Mat<f64> {
    let x = Mat::from_fn(1, x.len(), |_, j| x[j]);
    let y = Mat::from_fn(1, y.len(), |_, j| y[j]);
    flow.transform_and_log_det(x.as_ref(), y.as_ref()).0
}

#[test]
fn log_det_equals_the_numeric_jacobian() {
    for_each(&[1, 2, 3], |name, flow, d, c| {
        if name.contains("relu") {
            return; // piecewise linear nets: a difference across a kink is not the derivative
        }
        let (x, y) = (normals(3, d, "jacobian"), normals(3, c, "jacobian given"));
        let log_det = flow.transform_and_log_det(x.as_ref(), y.as_ref()).1;
        for (i, given) in log_det.iter().enumerate() {
            let row = |m: &Mat<f64>| -> Vec<f64> { m.row(i).iter().copied().collect() };
            let context = row(&y);
            let numeric = jacobian(&row(&x), |x| base_point(flow, x, &context));
            let numeric = ln_abs_det(numeric);
            assert!((given - numeric).abs() < 1e-7, "{name}: {given} {numeric}");
        }
    });
}

#[test]
fn a_made_is_triangular_for_every_context_and_every_coordinate_bends_with_every_context() {
    for d in [1, 2, 3, 6] {
        for c in [1, 3] {
            for hidden in [vec![32], vec![24, 24], vec![16, 32, 16]] {
                let architecture = Architecture::Maf {
                    layers: 1,
                    hidden,
                    activation: Activation::Tanh,
                    ordering: Ordering::Reversed,
                    log_scale: SCALE,
                    output_gain: 1.0,
                };
                let flow = flow(&architecture, d, c, Base::StandardNormal);
                let x: Vec<f64> = (0..d).map(|j| 0.3 * j as f64 - 0.4).collect();
                for shift in [-1.0, 0.5] {
                    let y: Vec<f64> = (0..c).map(|j| shift + 0.4 * j as f64).collect();
                    let jacobian = jacobian(&x, |x| base_point(&flow, x, &y));
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
                    for k in 0..c {
                        let at = |h: f64| {
                            let mut y = y.clone();
                            y[k] += h;
                            base_point(&flow, &x, &y)
                        };
                        let (down, here, up) = (at(-0.5), at(0.0), at(0.5));
                        for i in 0..d {
                            let slope = up[(0, i)] - down[(0, i)];
                            let bend = up[(0, i)] + down[(0, i)] - 2.0 * here[(0, i)];
                            assert!(
                                slope.abs() > 1e-6 && bend.abs() > 1e-6,
                                "d = {d}, c = {c}: z_{i} by y_{k}: {slope} {bend}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// A state of the points and contexts as the layers see them, standardised, recorded as a constant.
fn record(flow: &ConditionalFlow, rows: &Mat<f64>, weights: &[f64], params: &[f64]) -> Recorded {
    let (n, width) = (rows.nrows(), rows.ncols());
    let mut tape = Tape::new();
    let mut graph = Graph::new(&mut tape, params);
    let state = graph.constant_with(n, width + 1, |mut m| {
        m.rb_mut().subcols_mut(0, width).copy_from(rows);
        m.col_mut(width).fill(0.0);
    });
    let w = graph.constant(n, 1, weights);
    let log_prob = flow.record_log_prob(&mut graph, state);
    let loss = graph.weighted_sum(log_prob, w);
    let log_prob = tape.value(log_prob).to_owned();
    let loss = (tape.scalar(loss), loss);
    Recorded {
        tape,
        log_prob,
        loss,
    }
}

struct Recorded {
    tape: Tape,
    log_prob: Mat<f64>,
    loss: (f64, autodiff::Var),
}

#[test]
fn gradients_agree_with_differences_and_reach_every_parameter() {
    for_each(&[1, 2, 3], |name, flow, d, c| {
        let n = 40;
        let rows = normals(n, d + c, "gradient");
        let weights: Vec<f64> = (0..n).map(|i| 0.1 + 0.02 * i as f64).collect();
        let mut grad = vec![0.0; flow.num_params()];
        let Recorded { mut tape, loss, .. } = record(flow, &rows, &weights, flow.params());
        tape.backward(loss.1, flow.params(), &mut grad);
        let trainable = flow.trainable();
        for i in (0..grad.len()).filter(|i| !trainable.contains(i)) {
            let masked = (grad[i], flow.params()[i]);
            assert_eq!(masked, (0.0, 0.0), "{name}: masked weight {i}");
        }
        let dead = trainable.iter().filter(|&&i| grad[i] == 0.0).count();
        // A rectified unit can be off for every point.
        let relu = name.contains("relu");
        let allowed = if relu { trainable.len() / 2 } else { 0 };
        assert!(dead <= allowed, "{name}: {dead} without gradient");
        if relu {
            return;
        }
        let step = 1 + trainable.len() / 60;
        // The base's own parameters, at the end, are few: all of them.
        let (most, last) = trainable.split_at(trainable.len() - 2 * (d + 1));
        let pick: Vec<usize> = most.iter().step_by(step).chain(last).copied().collect();
        let values: Vec<f64> = pick.iter().map(|&i| flow.params()[i]).collect();
        let picked: Vec<f64> = pick.iter().map(|&i| grad[i]).collect();
        let worst = check::gradient(&values, &picked, 1e-3, |v| {
            let mut params = flow.params().to_vec();
            pick.iter().zip(v).for_each(|(&i, &v)| params[i] = v);
            record(flow, &rows, &weights, &params).loss.0
        });
        assert!(worst.unwrap().error < 1e-7, "{name}: {worst:?}");
    });
}

#[test]
fn tape_and_direct_evaluation_agree() {
    for_each(&[1, 2, 3, 6], |name, flow, d, c| {
        let n = 30;
        let rows = normals(n, d + c, "agree");
        let recorded = record(flow, &rows, &vec![1.0; n], flow.params()).log_prob;
        // Undo the standardisations so that the layers see the same rows.
        let (mut x, mut y) = (rows.subcols(0, d).to_owned(), rows.subcols(d, c).to_owned());
        standardise(d).inverse(x.as_mut());
        standardise(c).inverse(y.as_mut());
        let direct = flow.log_prob(x.as_ref(), y.as_ref());
        let jacobian = standardise(d).log_det();
        for i in 0..n {
            let error = direct[i] - jacobian - recorded[(i, 0)];
            assert!(error.abs() < 1e-11, "{name}: {error}");
        }
    });
}

#[test]
fn density_integrates_to_one_in_two_dimensions_for_every_context() {
    for_each(&[2], |name, flow, _, c| {
        for context in [-1.5, 0.0, 2.0] {
            let y: Vec<f64> = (0..c).map(|j| context - 0.5 * j as f64).collect();
            // Wide enough for the base under log-scales within +-2 a layer; midpoints on a fine grid.
            let (lo, hi, m) = (-14.0, 14.0, 500usize);
            let h = (hi - lo) / m as f64;
            let mut total = 0.0;
            for i in (0..m).step_by(10) {
                let strip = Mat::from_fn(10 * m, 2, |r, column| {
                    let k = if column == 0 { i + r / m } else { r % m };
                    lo + (k as f64 + 0.5) * h
                });
                let log_prob = flow.log_prob_given(strip.as_ref(), &y);
                total += log_prob.iter().map(|&l| math::exp(l)).sum::<f64>() * h * h;
            }
            assert!((total - 1.0).abs() < 5e-3, "{name}, y = {y:?}: {total}");
        }
    });
}

#[test]
fn samples_carry_their_log_density() {
    for_each(&[1, 2, 3], |name, flow, _, c| {
        let y = normals(500, c, "given");
        let stream = || random::stream(9, "sample");
        let (x, log_prob) = flow.sample_with_log_prob(y.as_ref(), &mut stream());
        assert_eq!(x, flow.sample(y.as_ref(), &mut stream()), "{name}");
        for (a, b) in flow.log_prob(x.as_ref(), y.as_ref()).iter().zip(&log_prob) {
            assert!((a - b).abs() < 1e-9, "{name}: {a} {b}");
        }
        let one: Vec<f64> = y.row(7).iter().copied().collect();
        let same = Mat::from_fn(40, c, |_, j| one[j]);
        let draws = flow.sample_given(&one, 40, &mut stream());
        assert_eq!(draws, flow.sample(same.as_ref(), &mut stream()), "{name}");
        let given = flow.log_prob_given(draws.as_ref(), &one);
        assert_eq!(
            given,
            flow.log_prob(draws.as_ref(), same.as_ref()),
            "{name}"
        );
    });
}

#[test]
fn rows_do_not_depend_on_their_neighbours_and_no_rows_give_no_rows() {
    for_each(&[2, 6], |name, flow, d, c| {
        let (x, y) = (normals(700, d, "neighbours"), normals(700, c, "given"));
        let all = flow.log_prob(x.as_ref(), y.as_ref());
        let part = |m: &Mat<f64>| m.subrows(300, 257).to_owned();
        let some = flow.log_prob(part(&x).as_ref(), part(&y).as_ref());
        for (a, b) in all[300..557].iter().zip(&some) {
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{name}");
        }
        let none = flow.sample(Mat::zeros(0, c).as_ref(), &mut random::stream(1, "none"));
        assert_eq!((none.nrows(), none.ncols()), (0, d), "{name}");
    });
}

#[test]
fn contexts_are_standardised_inside_the_model() {
    let architecture = &architectures()[1].1;
    let (x, y) = (normals(20, 2, "x"), normals(20, 3, "y"));
    let rng = || random::stream(11, "contract");
    let base = Base::StandardNormal;
    let plain = Standardise::identity(3);
    let identity = Standardise::identity(2);
    let a = ConditionalFlow::new(
        architecture,
        identity.clone(),
        plain,
        base.clone(),
        &mut rng(),
    );
    let scaled = Standardise::new(vec![4.0, -2.0, 1.0], vec![8.0, 0.5, 2.0]).unwrap();
    let b = ConditionalFlow::new(architecture, identity, scaled.clone(), base, &mut rng());
    let mut raw = y.clone();
    scaled.inverse(raw.as_mut());
    let a = a.unwrap().log_prob(x.as_ref(), y.as_ref());
    let b = b.unwrap().log_prob(x.as_ref(), raw.as_ref());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn flows_that_make_no_sense_are_refused() {
    let architecture = &architectures()[1].1;
    let build = |d: usize, c: usize| {
        let (points, contexts) = (Standardise::identity(d), Standardise::identity(c));
        let rng = &mut random::stream(1, "init");
        ConditionalFlow::new(architecture, points, contexts, Base::StandardNormal, rng)
            .map(|f| (f.dim(), f.context_dim()))
            .map_err(|e| e.to_string())
    };
    assert_eq!(build(2, 3), Ok((2, 3)));
    let message = "a conditional flow needs at least one column of contexts";
    assert_eq!(build(2, 0), Err(message.into()));
    assert_eq!(build(0, 2), Err("a flow needs at least one column".into()));
}
