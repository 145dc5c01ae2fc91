//! One contract for every flow, with contexts or without: invertible, right Jacobian, right
//! gradients, normalised, draws of its own law.

use crate::jacobian::{jacobian, ln_abs_det};
use autodiff::{Graph, Tape, Var, check};
use density::{Affine, Data, Density, EmConfig, GaussianMixture};
use faer::prelude::*;
use flows::{Activation, Architecture, Base, Flow, LogScale, Nets, Ordering};
use numerics::math;
use numerics::random::{standard_normal, stream};

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

fn affine(d: usize) -> Affine {
    let shift = (0..d).map(|j| j as f64 - 0.7).collect();
    let scale = (0..d).map(|j| 0.5 + 0.3 * j as f64).collect();
    Affine::new(shift, scale).unwrap()
}

/// A flow of d coordinates given c numbers.
fn flow(architecture: &Architecture, d: usize, c: usize, base: Base) -> Flow {
    let builder = Flow::builder(architecture, affine(d)).conditioned(affine(c));
    let flow = builder.on_base(base).build(&mut stream(11, "contract"));
    flow.unwrap()
}

fn normals(n: usize, d: usize, label: &str) -> Mat<f64> {
    let mut rng = stream(5, label);
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

/// Two overlapping normals of different covariances.
fn mixture(d: usize) -> GaussianMixture {
    let mut x = normals(80, d, "mixture");
    for i in 0..40 {
        for j in 0..d {
            x[(i, j)] = 1.2 + 0.6 * x[(i, j)];
        }
    }
    let em = EmConfig::default();
    GaussianMixture::fit(Data::new(x.as_ref()), 2, &em, &mut stream(1, "em")).unwrap()
}

/// A MAF on a trained mixture that has left the place where it began, and a RealNVP on a fixed one.
fn on_mixtures(d: usize, c: usize) -> [(&'static str, Flow); 2] {
    let architectures = architectures();
    let trained = Base::TrainedGaussianMixture {
        start: mixture(d),
        train_weights: true,
    };
    let mut maf = flow(&architectures[2].1, d, c, trained);
    let at = maf.params().len() - 2 * (d + 1);
    for (k, v) in maf.params_mut()[at..].iter_mut().enumerate() {
        *v = 0.3 - 0.1 * k as f64;
    }
    let fixed = Base::GaussianMixture(mixture(d));
    [
        ("maf on a trained mixture", maf),
        (
            "realnvp on a mixture",
            flow(&architectures[6].1, d, c, fixed),
        ),
    ]
}

/// A flow under test.
struct Case {
    name: String,
    flow: Flow,
    d: usize,
    c: usize,
}

impl Case {
    /// Contexts for n points, if the flow needs any.
    fn contexts(&self, n: usize) -> Option<Mat<f64>> {
        (self.c > 0).then(|| normals(n, self.c, "contexts"))
    }

    /// A piecewise linear net: a difference across a kink is not the derivative, and a unit can be
    /// off for every point.
    fn relu(&self) -> bool {
        self.name.contains("relu")
    }

    /// The log-likelihood of rows as the layers see them, recorded.
    fn record(&self, graph: &mut Graph<'_>, rows: &Mat<f64>) -> Var {
        let state = self.state(graph, rows);
        self.flow.record_log_prob(graph, state)
    }

    /// Standardised points, standardised contexts, and a column of zeros.
    fn state(&self, graph: &mut Graph<'_>, rows: &Mat<f64>) -> Var {
        let (n, width) = rows.shape();
        assert_eq!(width, self.d + self.c);
        graph.constant_with(n, width + 1, |mut m| {
            m.rb_mut().subcols_mut(0, width).copy_from(rows);
            m.col_mut(width).fill(0.0);
        })
    }
}

/// Every architecture on a normal, and one of each kind on a mixture, without contexts and with 1
/// and 3 numbers.
fn for_each(dims: &[usize], test: impl Fn(&Case)) {
    for &d in dims {
        for c in [0, 1, 3] {
            let plain = architectures()
                .into_iter()
                .map(|(name, a)| (name, flow(&a, d, c, Base::StandardNormal)));
            for (name, flow) in plain.chain(on_mixtures(d, c)) {
                let name = format!("{name}, d = {d}, c = {c}");
                test(&Case { name, flow, d, c });
            }
        }
    }
}

#[test]
fn round_trip_and_opposite_log_dets() {
    for_each(&[1, 2, 3, 8], |case| {
        // More rows than one chunk.
        let (x, y) = (normals(600, case.d, "x"), case.contexts(600));
        let y = y.as_ref().map(|y| y.as_ref());
        let (z, forward) = case.flow.transform_and_log_det(x.as_ref(), y);
        let (back, inverse) = case.flow.inverse_and_log_det(z.as_ref(), y);
        let (name, error) = (&case.name, (&back - &x).norm_max());
        assert!(error < 1e-10, "{name}: {error}");
        for (f, i) in forward.iter().zip(&inverse) {
            assert!((f + i).abs() < 1e-10, "{name}: {f} {i}");
        }
        assert!((&z - &x).norm_max() > 0.1, "{name}: the map does nothing");
    });
}

/// The base point of one point and one context.
fn base_point(flow: &Flow, x: &[f64], y: &[f64]) -> Mat<f64> {
    let x = Mat::from_fn(1, x.len(), |_, j| x[j]);
    let y = (!y.is_empty()).then(|| Mat::from_fn(1, y.len(), |_, j| y[j]));
    let y = y.as_ref().map(|y| y.as_ref());
    flow.transform_and_log_det(x.as_ref(), y).0
}

fn row(m: &Mat<f64>, i: usize) -> Vec<f64> {
    m.row(i).iter().copied().collect()
}

#[test]
fn log_det_equals_the_numeric_jacobian() {
    for_each(&[1, 2, 3, 8], |case| {
        if case.relu() {
            return;
        }
        let (x, y) = (normals(3, case.d, "jacobian"), case.contexts(3));
        let context = |i: usize| y.as_ref().map_or(Vec::new(), |y| row(y, i));
        let contexts = y.as_ref().map(|y| y.as_ref());
        let log_det = case.flow.transform_and_log_det(x.as_ref(), contexts).1;
        for (i, given) in log_det.iter().enumerate() {
            let y = context(i);
            let numeric = jacobian(&row(&x, i), |x| base_point(&case.flow, x, &y));
            let numeric = ln_abs_det(numeric);
            let error = (given - numeric).abs();
            assert!(error < 1e-7, "{}: {given} {numeric}", case.name);
        }
    });
}

#[test]
fn a_made_is_triangular_and_every_coordinate_bends_with_every_context() {
    for (d, c) in [(1, 1), (2, 0), (2, 1), (3, 0), (3, 3), (8, 0), (8, 1)] {
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
                        let moves = slope.abs() > 1e-6 && bend.abs() > 1e-6;
                        assert!(moves, "d = {d}, c = {c}: z_{i} by y_{k}: {slope} {bend}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_stack_in_reversed_orders_mixes_all_coordinates() {
    for_each(&[2, 3, 8], |case| {
        let few = case.flow.layers().len() < 3;
        if few || case.relu() || case.name.contains("random") {
            return;
        }
        let y = vec![0.4; case.c];
        let jacobian = jacobian(&vec![0.2; case.d], |x| base_point(&case.flow, x, &y));
        for i in 0..case.d {
            for j in 0..case.d {
                let name = &case.name;
                assert!(jacobian[(i, j)] != 0.0, "{name}: dz_{i}/dx_{j} vanishes");
            }
        }
    });
}

#[test]
fn gradients_agree_with_differences_and_reach_every_parameter() {
    for_each(&[1, 2, 3, 8], |case| {
        let (n, name) = (40, &case.name);
        let rows = normals(n, case.d + case.c, "gradient");
        let weights: Vec<f64> = (0..n).map(|i| 0.1 + 0.02 * i as f64).collect();
        let loss = |params: &[f64], grad: Option<&mut [f64]>| {
            let mut tape = Tape::new();
            let mut graph = Graph::new(&mut tape, params);
            let w = graph.constant(n, 1, &weights);
            let log_prob = case.record(&mut graph, &rows);
            let loss = graph.weighted_sum(log_prob, w);
            if let Some(grad) = grad {
                tape.backward(loss, params, grad);
            }
            tape.scalar(loss)
        };
        let params = case.flow.params();
        let mut grad = vec![0.0; params.len()];
        loss(params, Some(&mut grad));
        let trainable = case.flow.trainable();
        for i in (0..grad.len()).filter(|i| !trainable.contains(i)) {
            assert_eq!(
                (grad[i], params[i]),
                (0.0, 0.0),
                "{name}: masked weight {i}"
            );
        }
        let dead = trainable.iter().filter(|&&i| grad[i] == 0.0).count();
        let allowed = if case.relu() { trainable.len() / 2 } else { 0 };
        assert!(
            dead <= allowed,
            "{name}: {dead} of {} without gradient",
            trainable.len()
        );
        if case.relu() {
            return;
        }
        // The base's own parameters, at the end, are few: all of them.
        let (most, last) = trainable.split_at(trainable.len().saturating_sub(2 * (case.d + 1)));
        let step = 1 + trainable.len() / 60;
        let pick: Vec<usize> = most.iter().step_by(step).chain(last).copied().collect();
        let values: Vec<f64> = pick.iter().map(|&i| params[i]).collect();
        let picked: Vec<f64> = pick.iter().map(|&i| grad[i]).collect();
        let worst = check::gradient(&values, &picked, 1e-3, |v| {
            let mut moved = params.to_vec();
            pick.iter().zip(v).for_each(|(&i, &v)| moved[i] = v);
            loss(&moved, None)
        });
        assert!(worst.unwrap().error < 1e-7, "{name}: {worst:?}");
    });
}

#[test]
fn tape_and_direct_evaluation_agree() {
    for_each(&[1, 2, 3, 8], |case| {
        let (n, d, name) = (30, case.d, &case.name);
        let rows = normals(n, d + case.c, "agree");
        let mut tape = Tape::new();
        let mut graph = Graph::new(&mut tape, case.flow.params());
        let state = case.state(&mut graph, &rows);
        let layers = case.flow.layers().iter();
        let end = layers.fold(state, |s, l| l.record(&mut graph, s));
        let log_prob = case.flow.record_log_prob(&mut graph, state);
        let (recorded, log_prob) = (tape.value(end), tape.value(log_prob));
        // Undo the standardisations so that the layers see the same rows.
        let (mut x, mut y) = (
            rows.subcols(0, d).to_owned(),
            rows.subcols(d, case.c).to_owned(),
        );
        affine(d).inverse(x.as_mut());
        affine(case.c).inverse(y.as_mut());
        let contexts = (case.c > 0).then(|| y.as_ref());
        let (z, log_det) = case.flow.transform_and_log_det(x.as_ref(), contexts);
        let direct = match contexts {
            None => case.flow.log_prob(x.as_ref()),
            Some(y) => case.flow.log_prob_given(x.as_ref(), y),
        };
        let own = affine(d).log_det();
        for i in 0..n {
            for j in 0..d {
                assert!((z[(i, j)] - recorded[(i, j)]).abs() < 1e-12, "{name}");
            }
            let last = recorded.ncols() - 1;
            assert!(
                (log_det[i] - own - recorded[(i, last)]).abs() < 1e-12,
                "{name}"
            );
            assert!((direct[i] - own - log_prob[(i, 0)]).abs() < 1e-11, "{name}");
        }
    });
}

#[test]
fn density_integrates_to_one_in_two_dimensions() {
    for_each(&[2], |case| {
        let contexts: &[f64] = if case.c == 0 { &[0.0] } else { &[-1.5, 2.0] };
        for context in contexts {
            let y: Vec<f64> = (0..case.c).map(|j| context - 0.5 * j as f64).collect();
            let q = case.flow.condition(&y);
            // Wide enough for the base under log-scales within +-2 a layer; midpoints on a fine
            // grid.
            let (lo, hi, m) = (-14.0, 14.0, 500usize);
            let h = (hi - lo) / m as f64;
            let mut total = 0.0;
            for i in (0..m).step_by(10) {
                let strip = Mat::from_fn(10 * m, 2, |r, column| {
                    let k = if column == 0 { i + r / m } else { r % m };
                    lo + (k as f64 + 0.5) * h
                });
                let log_prob = q.log_prob(strip.as_ref());
                total += log_prob.iter().map(|&l| math::exp(l)).sum::<f64>() * h * h;
            }
            assert!(
                (total - 1.0).abs() < 5e-3,
                "{}, y = {y:?}: {total}",
                case.name
            );
        }
    });
}

#[test]
fn draws_have_the_law_of_the_density() {
    for_each(&[1, 2, 3, 8], |case| {
        let (n, d, name) = (500, case.d, &case.name);
        let y = vec![0.6; case.c];
        let q = case.flow.condition(&y);
        let x = q.sample(n, &mut stream(9, "sample"));
        assert_eq!(x, q.sample(n, &mut stream(9, "sample")), "{name}");
        let repeated = Mat::from_fn(n, case.c, |_, j| y[j]);
        let (again, log_prob) = if case.c == 0 {
            let flow = &case.flow;
            (
                flow.sample(n, &mut stream(9, "sample")),
                flow.log_prob(x.as_ref()),
            )
        } else {
            let (flow, y) = (&case.flow, repeated.as_ref());
            let draws = flow.sample_given(y, &mut stream(9, "sample"));
            (draws, flow.log_prob_given(x.as_ref(), y))
        };
        assert_eq!(
            (again, log_prob),
            (x.clone(), q.log_prob(x.as_ref())),
            "{name}"
        );
        if name.contains("mixture") {
            return;
        }
        // Mapped back, draws are standard normal: the mean of |z|^2 is d +- sqrt(2 d / n).
        let contexts = (case.c > 0).then(|| repeated.as_ref());
        let z = case.flow.transform_and_log_det(x.as_ref(), contexts).0;
        let squares = z.norm_l2() * z.norm_l2() / n as f64;
        let error = (2.0 * d as f64 / n as f64).sqrt();
        assert!(
            (squares - d as f64).abs() < 4.0 * error,
            "{name}: {squares}"
        );
    });
}

#[test]
fn rows_do_not_depend_on_their_neighbours_and_no_rows_give_no_rows() {
    for_each(&[2, 8], |case| {
        let q = case.flow.condition(&vec![0.3; case.c]);
        let x = normals(700, case.d, "neighbours");
        let all = q.log_prob(x.as_ref());
        let some = q.log_prob(x.as_ref().subrows(300, 257));
        for (a, b) in all[300..557].iter().zip(&some) {
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{}", case.name);
        }
        assert!(q.log_prob(x.as_ref().subrows(0, 0)).is_empty());
        assert_eq!(q.sample(0, &mut stream(1, "none")).shape(), (0, case.d));
    });
}

#[test]
fn saved_flows_are_the_same_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flow.safetensors");
    for_each(&[1, 3], |case| {
        case.flow.save(&path).unwrap();
        let again = Flow::load(&path).unwrap();
        assert_eq!(again.to_bytes(), case.flow.to_bytes(), "{}", case.name);
        let (x, y) = (normals(50, case.d, "saved"), vec![0.3; case.c]);
        let log_prob = |flow: &Flow| flow.condition(&y).log_prob(x.as_ref());
        assert_eq!(log_prob(&again), log_prob(&case.flow), "{}", case.name);
        assert_eq!(
            log_prob(&case.flow.clone()),
            log_prob(&again),
            "{}",
            case.name
        );
    });
}

#[test]
fn contexts_are_standardised_inside_the_model() {
    let architecture = &architectures()[2].1;
    let (x, y) = (normals(20, 2, "x"), normals(20, 3, "y"));
    let build = |contexts: Affine| {
        let builder = Flow::builder(architecture, Affine::identity(2)).conditioned(contexts);
        builder.build(&mut stream(11, "contract")).unwrap()
    };
    let scaled = Affine::new(vec![4.0, -2.0, 1.0], vec![8.0, 0.5, 2.0]).unwrap();
    let mut raw = y.clone();
    scaled.inverse(raw.as_mut());
    let a = build(Affine::identity(3)).log_prob_given(x.as_ref(), y.as_ref());
    let b = build(scaled).log_prob_given(x.as_ref(), raw.as_ref());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn flows_that_make_no_sense_are_refused() {
    let build = |d: usize, base: Base| {
        let architecture = &architectures()[2].1;
        let builder = Flow::builder(architecture, Affine::identity(d));
        let flow = builder.on_base(base).build(&mut stream(1, "init"));
        flow.map(|f| f.dim()).map_err(|e| e.to_string())
    };
    assert_eq!(build(2, Base::StandardNormal), Ok(2));
    let none = build(0, Base::StandardNormal).unwrap_err();
    assert_eq!(none, "a flow needs at least one column");
    let other = build(3, Base::GaussianMixture(mixture(2))).unwrap_err();
    assert!(other.contains("3 coordinates"), "{other}");
}
