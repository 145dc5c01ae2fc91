//! The whole model: a normalised density with an exact inverse, and what fitting promises.

use density::{Data, Density, archive};
use faer::Mat;
use numerics::math::{LN_2PI, exp, ln, sum};
use numerics::random::{Pcg64, standard_normal, stream};
use rbig::{Error, LayerRule, MarginalKind, Rbig, RbigConfig, RotationKind};

fn normal(n: usize, d: usize, rng: &mut Pcg64) -> Mat<f64> {
    Mat::from_fn(n, d, |_, _| standard_normal(rng))
}

/// x1 ~ N(0, 2), x2 given x1 ~ N(x1^2/4, 1); entropy 3.1845 nats.
fn banana(n: usize, rng: &mut Pcg64) -> Mat<f64> {
    let mut x = Mat::zeros(n, 2);
    for i in 0..n {
        let x1 = 2.0_f64.sqrt() * standard_normal(rng);
        x[(i, 0)] = x1;
        x[(i, 1)] = 0.25 * x1 * x1 + standard_normal(rng);
    }
    x
}

/// Dependent columns that are not normal.
fn curved(n: usize, d: usize, rng: &mut Pcg64) -> Mat<f64> {
    let mut x = normal(n, d, rng);
    for i in 0..n {
        for j in 1..d {
            let before = x[(i, j - 1)];
            x[(i, j)] += before * before / (1.0 + before.abs()) - 0.5 * before;
        }
    }
    x
}

fn mean_nll(m: &Rbig, x: &Mat<f64>) -> f64 {
    -sum(&m.log_prob(x.as_ref())) / x.nrows() as f64
}

fn configs() -> Vec<RbigConfig> {
    let rotations = [
        RotationKind::Random,
        RotationKind::Pca,
        RotationKind::PcaThenRandom,
        RotationKind::MostNonGaussian { candidates: 4 },
    ];
    let marginals = [MarginalKind::published_histogram(), MarginalKind::smooth()];
    let mut all = Vec::new();
    for rotation in rotations {
        for marginal in marginals {
            all.push(RbigConfig {
                layers: LayerRule::Count(4),
                marginal,
                rotation,
            });
        }
    }
    all
}

fn fit(x: &Mat<f64>, config: &RbigConfig) -> Rbig {
    Rbig::fit(
        Data::new(x.as_ref()),
        None,
        config,
        &mut stream(7, "rotations"),
    )
    .unwrap()
}

#[test]
fn round_trip_both_ways_in_several_dimensions() {
    for d in [1, 2, 3, 8] {
        let mut rng = stream(d as u64, "round trip");
        let x = curved(700, d, &mut rng);
        for config in configs() {
            let m = fit(&x, &config);
            assert_eq!((m.dim(), m.num_layers()), (d, 4));
            let (z, forward) = m.transform_and_log_det(x.as_ref());
            let (back, inverse) = m.inverse_and_log_det(z.as_ref());
            let log_prob = m.log_prob(x.as_ref());
            for i in 0..x.nrows() {
                let mut base = 0.0;
                for j in 0..d {
                    let (a, b) = (x[(i, j)], back[(i, j)]);
                    assert!(
                        (a - b).abs() < 1e-9 * (1.0 + a.abs()),
                        "{config:?}: {a} {b}"
                    );
                    base -= 0.5 * (z[(i, j)] * z[(i, j)] + LN_2PI);
                }
                // A point on the edge of a bin may come back in the next one.
                if config.marginal == MarginalKind::smooth() {
                    assert!(
                        (forward[i] + inverse[i]).abs() < 1e-6,
                        "{config:?}: {} {}",
                        forward[i],
                        inverse[i]
                    );
                }
                assert!((log_prob[i] - base - forward[i]).abs() < 1e-12 * (1.0 + base.abs()));
            }
        }
    }
}

#[test]
fn log_determinant_is_that_of_the_numeric_jacobian() {
    for d in [1, 2, 3, 8] {
        let mut rng = stream(d as u64, "jacobian");
        let x = curved(400, d, &mut rng);
        for config in configs() {
            let m = fit(&x, &config);
            let (_, log_det) = m.transform_and_log_det(x.as_ref());
            let h = 1e-6;
            let mut wrong = 0;
            for i in 0..20 {
                let around = Mat::from_fn(2 * d, d, |r, j| {
                    let step = if r < d { h } else { -h };
                    x[(i, j)] + if r % d == j { step } else { 0.0 }
                });
                let (z, _) = m.transform_and_log_det(around.as_ref());
                let jacobian: Vec<Vec<f64>> = (0..d)
                    .map(|k| {
                        (0..d)
                            .map(|j| (z[(k, j)] - z[(k + d, j)]) / (2.0 * h))
                            .collect()
                    })
                    .collect();
                let numeric = log_abs_det(jacobian);
                wrong += usize::from((numeric - log_det[i]).abs() > 1e-4);
            }
            // A difference across the edge of a bin, or over a knot with a sharp bend, is not the
            // derivative.
            assert!(
                wrong <= if d == 8 { 3 } else { 1 },
                "{config:?}: {wrong} wrong"
            );
        }
    }
}

/// By elimination with row pivots.
fn log_abs_det(mut a: Vec<Vec<f64>>) -> f64 {
    let mut total = 0.0;
    while let Some(pivot) = (0..a.len()).max_by(|&i, &j| a[i][0].abs().total_cmp(&a[j][0].abs())) {
        let row = a.swap_remove(pivot);
        total += ln(row[0].abs());
        for other in &mut a {
            let factor = other[0] / row[0];
            *other = (1..row.len()).map(|j| other[j] - factor * row[j]).collect();
        }
    }
    total
}

#[test]
fn densities_integrate_to_one_on_a_grid() {
    let x = banana(500, &mut stream(1, "grid"));
    for mut config in configs() {
        let mut cells = 800;
        if let MarginalKind::Histogram { bins, clamp, .. } = &mut config.marginal {
            // The jumps of the density need a fine grid: one model is enough.
            if config.rotation != RotationKind::Random {
                continue;
            }
            (*bins, *clamp, cells) = (20, 1e-3, 3200);
        }
        let m = fit(&x, &config);
        let (from, width) = ([-20.0, -20.0], [40.0 / cells as f64, 45.0 / cells as f64]);
        let mut total = 0.0;
        for row in 0..cells {
            let line = Mat::from_fn(cells, 2, |k, j| {
                let at = if j == 0 { row } else { k };
                from[j] + (at as f64 + 0.5) * width[j]
            });
            total += m
                .log_prob(line.as_ref())
                .iter()
                .map(|l| exp(*l))
                .sum::<f64>();
        }
        let total = total * width[0] * width[1];
        let allowed = if cells == 800 { 1e-5 } else { 1e-3 };
        assert!((total - 1.0).abs() < allowed, "{config:?}: {total}");
    }
}

#[test]
fn far_points_have_finite_densities() {
    let x = banana(500, &mut stream(2, "far"));
    let far = Mat::from_fn(4, 2, |i, j| [1e6, -1e6, 1e9, -3e6][i] * (j as f64 - 0.3));
    for config in configs() {
        let m = fit(&x, &config);
        assert!(
            m.log_prob(far.as_ref())
                .iter()
                .all(|l| l.is_finite() && *l < -100.0)
        );
    }
}

#[test]
fn held_out_normal_data_cost_little_more_than_their_entropy() {
    for d in [1, 2, 5] {
        let mut rng = stream(d as u64, "normal");
        let (train, check, test) = (
            normal(1600, d, &mut rng),
            normal(400, d, &mut rng),
            normal(20_000, d, &mut rng),
        );
        let m = Rbig::fit(
            Data::new(train.as_ref()),
            Some(Data::new(check.as_ref())),
            &RbigConfig::smooth(),
            &mut rng,
        )
        .unwrap();
        let excess = mean_nll(&m, &test) - 0.5 * d as f64 * (1.0 + LN_2PI);
        let noise = (0.5 * d as f64 / 20_000.0).sqrt();
        assert!(excess < 0.005 * d as f64 + 3.0 * noise, "{d}: {excess}");
    }
}

#[test]
fn the_banana_is_learned() {
    let mut rng = stream(3, "banana");
    let (train, check, test) = (
        banana(800, &mut rng),
        banana(200, &mut rng),
        banana(20_000, &mut rng),
    );
    let smooth = Rbig::fit(
        Data::new(train.as_ref()),
        Some(Data::new(check.as_ref())),
        &RbigConfig::smooth(),
        &mut rng,
    )
    .unwrap();
    let published = fit(&banana(1000, &mut rng), &RbigConfig::published());
    let (smooth_nll, published_nll) = (mean_nll(&smooth, &test), mean_nll(&published, &test));
    assert!(smooth_nll < 3.28, "{smooth_nll}");
    assert!(
        published_nll > 3.3 && published_nll < 4.2,
        "{published_nll}"
    );
    // The history holds the standardisation and every layer tried; the best was kept.
    let best = smooth
        .history()
        .iter()
        .min_by(|a, b| {
            a.validation_nll
                .unwrap()
                .total_cmp(&b.validation_nll.unwrap())
        })
        .unwrap();
    assert_eq!(best.layers, smooth.num_layers());
    let kept = mean_nll(&smooth, &check);
    assert!((kept - best.validation_nll.unwrap()).abs() < 1e-9);
}

#[test]
fn more_layers_raise_the_training_likelihood() {
    let x = banana(1000, &mut stream(4, "layers"));
    for marginal in [MarginalKind::published_histogram(), MarginalKind::smooth()] {
        let config = RbigConfig {
            layers: LayerRule::Count(12),
            marginal,
            rotation: RotationKind::PcaThenRandom,
        };
        let m = fit(&x, &config);
        let nll: Vec<f64> = m.history().iter().map(|h| h.train_nll).collect();
        assert!(
            nll[2] < nll[0] && nll[6] < nll[2] && nll[12] < nll[6] + 0.01,
            "{nll:?}"
        );
    }
}

#[test]
fn total_correlation_rule_stops() {
    let config = RbigConfig {
        layers: LayerRule::TotalCorrelation {
            max_layers: 60,
            tolerance: 4.0,
            patience: 3,
        },
        marginal: MarginalKind::smooth(),
        rotation: RotationKind::PcaThenRandom,
    };
    let mut rng = stream(5, "stop");
    let independent = fit(&normal(2000, 3, &mut rng), &config);
    assert!(
        independent.num_layers() <= 2,
        "{}",
        independent.num_layers()
    );
    let bent = fit(&banana(2000, &mut rng), &config);
    assert!(
        (2..60).contains(&bent.num_layers()),
        "{}",
        bent.num_layers()
    );
}

#[test]
fn weights_shift_the_fit() {
    // Half the rows at +4 with weight zero.
    let mut rng = stream(6, "weights");
    let x = Mat::from_fn(1000, 2, |i, _| {
        4.0 * (i % 2) as f64 + standard_normal(&mut rng)
    });
    let w: Vec<f64> = (0..1000).map(|i| ((i + 1) % 2) as f64).collect();
    let config = RbigConfig {
        layers: LayerRule::Count(3),
        ..RbigConfig::smooth()
    };
    let m = Rbig::fit(
        Data::new(x.as_ref()).weighted(&w[..]),
        None,
        &config,
        &mut rng,
    )
    .unwrap();
    let excess = mean_nll(&m, &normal(5000, 2, &mut rng)) - (1.0 + LN_2PI);
    assert!(excess < 0.06, "{excess}");
}

#[test]
fn seeds_and_files_give_the_same_bits() {
    let x = banana(400, &mut stream(8, "bits"));
    for config in configs() {
        let (a, b) = (fit(&x, &config), fit(&x, &config));
        assert_eq!(a, b);
        assert_eq!(
            a.sample(50, &mut stream(1, "s")),
            b.sample(50, &mut stream(1, "s"))
        );
        let bytes = archive::to_bytes(&a).unwrap();
        let read = archive::from_bytes(&bytes, &[rbig::KIND]).unwrap();
        assert_eq!(bytes, archive::to_bytes(&read).unwrap());
        assert_eq!(a.log_prob(x.as_ref()), read.log_prob(x.as_ref()));
        // A row alone gives the bits that it gives among others.
        let row = x.as_ref().subrows(123, 1);
        assert_eq!(a.log_prob(row)[0], a.log_prob(x.as_ref())[123]);
        let settings = ron::to_string(&config).unwrap();
        assert_eq!(ron::from_str::<RbigConfig>(&settings).unwrap(), config);
    }
    assert!(ron::from_str::<MarginalKind>("Smooth(bandwith: None)").is_err());
    assert_eq!(
        ron::from_str::<MarginalKind>("Smooth()").unwrap(),
        MarginalKind::smooth()
    );
}

#[test]
fn samples_follow_the_data() {
    let mut rng = stream(9, "samples");
    let m = fit(
        &banana(2000, &mut rng),
        &RbigConfig {
            layers: LayerRule::Count(8),
            ..RbigConfig::smooth()
        },
    );
    let x = m.sample(20_000, &mut rng);
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        (0..x.nrows()).map(|i| f(x[(i, 0)], x[(i, 1)])).sum::<f64>() / x.nrows() as f64
    };
    assert!(mean(&|a, _| a).abs() < 0.15);
    let square = mean(&|a, _| a * a);
    assert!((square - 2.0).abs() < 0.25, "{square}");
    assert!((mean(&|_, b| b) - 0.5).abs() < 0.15);
    // The residual around the curve is standard normal; no draw is far away.
    let residual = mean(&|a, b| (b - 0.25 * a * a).abs());
    assert!((residual - 0.798).abs() < 0.15, "{residual}");
    let far = (0..x.nrows()).map(|i| x[(i, 0)].abs()).fold(0.0, f64::max);
    assert!(far < 20.0, "{far}");
}

#[test]
fn errors_say_what_is_wrong() {
    let mut rng = stream(10, "errors");
    let good = normal(100, 3, &mut rng);
    let mut try_fit = |x: &Mat<f64>, config: &RbigConfig| {
        Rbig::fit(Data::new(x.as_ref()), None, config, &mut rng).unwrap_err()
    };
    let config = RbigConfig::published();
    let mut x = good.clone();
    x[(5, 2)] = f64::NAN;
    assert_eq!(try_fit(&x, &config), Error::NotFinite { column: 2, row: 5 });
    for i in 0..100 {
        x[(i, 2)] = -0.25;
    }
    assert_eq!(try_fit(&x, &config), Error::ConstantColumn { column: 2 });
    for i in 0..100 {
        x[(i, 2)] = 2.0 * x[(i, 0)];
    }
    let pca = RbigConfig {
        rotation: RotationKind::Pca,
        ..config
    };
    assert!(matches!(try_fit(&x, &pca), Error::Singular { .. }));
    // No more rows than columns always lie on a plane: the search ends there.
    let few = Mat::from_fn(10, 10, |i, j| good[(i + 10 * j % 90, j % 3)]);
    let smooth = RbigConfig::smooth();
    let data = Data::new(few.as_ref());
    let model = Rbig::fit(data, Some(data), &smooth, &mut stream(1, "few")).unwrap();
    assert!(model.log_prob(few.as_ref()).iter().all(|l| l.is_finite()));
    assert_eq!(
        try_fit(&Mat::zeros(3, 2), &config),
        Error::TooFewRows { rows: 3, needed: 8 }
    );
    assert_eq!(try_fit(&good, &RbigConfig::smooth()), Error::NoValidation);
    let none = RbigConfig {
        rotation: RotationKind::MostNonGaussian { candidates: 0 },
        ..config
    };
    assert!(matches!(
        try_fit(&good, &none),
        Error::BadSetting {
            field: "candidates",
            ..
        }
    ));
    let narrow = normal(10, 2, &mut stream(0, "narrow"));
    let e = Rbig::fit(
        Data::new(good.as_ref()),
        Some(Data::new(narrow.as_ref())),
        &config,
        &mut rng,
    );
    assert!(matches!(e, Err(Error::SizeMismatch { .. })));
    let conditioned = Data::new(good.as_ref()).conditioned(good.as_ref());
    let e = Rbig::fit(conditioned, None, &config, &mut rng);
    assert!(matches!(e, Err(Error::SizeMismatch { .. })));
}

#[test]
fn parts_make_the_same_model_and_bad_ones_are_refused() {
    use rbig::MarginalParts;
    let mut rng = stream(1, "parts");
    // A heavy tail in the second column, so that one marginal has a warp.
    let x = Mat::from_fn(400, 2, |_, j| {
        let z = standard_normal(&mut rng);
        if j == 0 {
            z
        } else {
            z / standard_normal(&mut rng)
        }
    });
    for config in [
        RbigConfig::published(),
        RbigConfig {
            layers: LayerRule::Count(3),
            ..RbigConfig::smooth()
        },
    ] {
        let model = Rbig::fit(Data::new(x.as_ref()), None, &config, &mut rng).unwrap();
        let parts = model.parts();
        let again = Rbig::from_parts(parts.clone()).unwrap();
        assert_eq!(again.log_prob(x.as_ref()), model.log_prob(x.as_ref()));
        let draws = |m: &Rbig| m.sample(50, &mut stream(2, "draws"));
        assert_eq!(draws(&again), draws(&model));
        assert_eq!(again.parts(), parts);

        let refuse = |change: &dyn Fn(&mut rbig::Parts)| {
            let mut bad = parts.clone();
            change(&mut bad);
            Rbig::from_parts(bad).unwrap_err()
        };
        assert!(refuse(&|p| p.deviation[1] = 0.0).contains("column 1"));
        assert!(refuse(&|p| p.mean[0] = f64::NAN).contains("finite"));
        assert!(refuse(&|p| p.layers[1].rotation[0] += 0.01).contains("layer 1"));
        assert!(refuse(&|p| p.layers[0].marginals.truncate(1)).contains("layer 0"));
        let knots = refuse(&|p| {
            for m in &mut p.layers[0].marginals {
                match m {
                    MarginalParts::Histogram { mass, .. } => mass[3] = -1.0,
                    MarginalParts::Smooth { spline, scale, .. } => match spline {
                        Some(s) => s.values.swap(0, 1),
                        None => *scale = -1.0,
                    },
                }
            }
        });
        assert!(knots.contains("layer 0, column 0"), "{knots}");
    }
}
