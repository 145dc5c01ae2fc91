//! The fit: a base, flows, rounds, weights.

use super::error::AmortisedError;
use super::flows::Flows;
use super::model::{Amortised, ConditionalExpert};
use super::pairs::Pairs;
use super::settings::{AmortisedConfig, AmortisedModel};
use crate::parts::Parts;
use crate::settings::PosteriorBase;
use amf::{ExpertError, WeightData};
use density::{Affine, Data, FitContext, GaussianMixture, Progress, mixture_log_prob};
use faer::prelude::*;
use flows::{Base, Flow, Termination};
use numerics::math::{exp, ln, ln_sum_exp};
use numerics::matrix::{col, col_mut, select_rows};
use numerics::random::{permutation, stream};
use rayon::prelude::*;

impl AmortisedConfig {
    /// Learns `q(theta | y)` from pairs (theta as points, y as contexts), with optional weights.
    ///
    /// Experts are fitted in parallel on the current thread pool; the result depends on the pairs,
    /// the settings and the seed alone. With a checkpoint store in the context, the same call after
    /// an interruption resumes.
    ///
    /// # Errors
    /// See [`AmortisedError`].
    pub fn fit(
        &self,
        pairs: Data<'_>,
        seed: u64,
        context: &FitContext<'_>,
    ) -> Result<Amortised, AmortisedError> {
        self.check().map_err(AmortisedError::Config)?;
        if pairs.contexts.is_none() {
            return Err(AmortisedError::Config(
                "pairs need contexts: the data".into(),
            ));
        }
        // Also refuses pairs that are not finite, or of different numbers.
        let (standardise, contexts) = pairs.standardise()?;
        let n = pairs.points.nrows();
        let order = permutation(&mut stream(seed, "amortised/split"), n);
        let held = ((n as f64 * self.validation).ceil() as usize).min(n - 1);
        let (valid, train) = order.split_at(held);
        let (train, valid) = (Pairs::of(&pairs, train), Pairs::of(&pairs, valid));
        let mixture = self.mixture(&train, &standardise, &contexts, seed)?;
        let fit = Fit {
            config: self,
            train,
            valid,
            standardise,
            contexts,
            mixture,
            seed,
            context: *context,
        };
        let experts: Vec<ConditionalExpert> = (0..self.experts.len())
            .into_par_iter()
            .map(|e| fit.expert(e))
            .collect::<Result<_, _>>()?;
        fit.weigh(experts)
    }

    /// The base mixture in the space of standardised parameters, from the pairs whose data are
    /// nearest to the average.
    fn mixture(
        &self,
        train: &Pairs,
        standardise: &Affine,
        contexts: &Affine,
        seed: u64,
    ) -> Result<Option<GaussianMixture>, AmortisedError> {
        let (components, em, tails) = match self.model {
            AmortisedModel::Flow(PosteriorBase::StandardNormal) => return Ok(None),
            AmortisedModel::Flow(PosteriorBase::Mixture {
                components,
                em,
                tails,
                ..
            }) => (components, em, tails),
            AmortisedModel::Flows { components, em, .. } => (components, em, None),
        };
        let mut y = train.y.clone();
        contexts.transform(y.as_mut());
        let distance = |i: usize| (0..y.ncols()).map(|j| y[(i, j)] * y[(i, j)]).sum::<f64>();
        let mut nearest: Vec<(f64, usize)> = (0..y.nrows()).map(|i| (distance(i), i)).collect();
        let count = self.neighbours.min(nearest.len());
        nearest.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rows: Vec<usize> = nearest[..count].iter().map(|r| r.1).collect();
        let mut points = select_rows(train.theta.as_ref(), &rows);
        standardise.transform(points.as_mut());
        let weights: Option<Vec<f64>> = train
            .weights
            .as_ref()
            .map(|w| rows.iter().map(|&i| w[i]).collect());
        let data = Data::new(points.as_ref()).weighted(weights.as_deref());
        let rng = &mut stream(seed, "amortised/base");
        let found = components.fit(data, &em, rng)?;
        Ok(Some(match tails {
            Some(t) => Parts::of(&found).with_tails(t.share, t.scale).build(),
            None => found,
        }))
    }
}

/// What stays constant during a fit.
struct Fit<'a> {
    config: &'a AmortisedConfig,
    train: Pairs,
    valid: Pairs,
    standardise: Affine,
    contexts: Affine,
    mixture: Option<GaussianMixture>,
    seed: u64,
    context: FitContext<'a>,
}

impl Fit<'_> {
    fn expert(&self, e: usize) -> Result<ConditionalExpert, AmortisedError> {
        let (name, settings) = &self.config.experts[e];
        let d = self.standardise.dim();
        let bijection = settings.frame.bijection(&self.standardise);
        let (train, valid) = (self.train.inside(&bijection), self.valid.inside(&bijection));
        let new = |base: Base, k: usize| {
            Flow::builder(&settings.architecture, Affine::identity(d))
                .conditioned(self.contexts.clone())
                .on_base(base)
                .build(&mut stream(
                    self.seed,
                    &format!("amortised/{name}/{k}/init"),
                ))
                .map_err(|e| self.failed(name, e.into()))
        };
        let (components, rounds) = match (&self.config.model, &self.mixture) {
            (AmortisedModel::Flows { rounds, .. }, Some(m)) => (m, *rounds),
            (AmortisedModel::Flow(base), mixture) => {
                let base = base.place(mixture.as_ref(), settings.frame.rotation(d).as_ref());
                let mut flow = new(base, 0)?;
                let steps = (0, settings.fit.steps);
                self.train(e, &mut flow, (&train, &valid), steps, "batches")?;
                let flows = Flows {
                    flows: vec![flow],
                    weights: vec![1.0],
                };
                return Ok(ConditionalExpert { bijection, flows });
            }
            _ => unreachable!("such a model has a mixture"),
        };
        // The components' own responsibilities at the start, in their own coordinates.
        let first = |p: &Pairs| {
            let mut z = p.theta.clone();
            self.standardise.transform(z.as_mut());
            responsibilities(components.joint_log_prob(z.as_ref()))
        };
        let (mut r, mut r_valid) = (first(&self.train), first(&self.valid));
        let mut model = Flows {
            flows: (0..components.len())
                .map(|k| new(Base::StandardNormal, k))
                .collect::<Result<_, _>>()?,
            weights: self.train.shares(r.as_ref()),
        };
        let steps = settings.fit.steps.div_ceil(rounds);
        for round in 0..rounds {
            let label = |k: usize| format!("{k}/{round}/batches");
            model
                .flows
                .par_iter_mut()
                .enumerate()
                .try_for_each(|(k, flow)| {
                    let part = |p: &Pairs, r: &Mat<f64>| p.share(r.as_ref(), k);
                    match (part(&train, &r), part(&valid, &r_valid)) {
                        (Some(train), Some(valid)) => {
                            let pairs = (&train, &valid);
                            self.train(e, flow, pairs, (round * steps, steps), &label(k))
                        }
                        // A component without pairs is not changed.
                        _ => Ok(()),
                    }
                })?;
            let joint = |p: &Pairs| {
                let mut table = model.table(p.theta.as_ref(), p.y.as_ref());
                for (k, &w) in model.weights.iter().enumerate() {
                    col_mut(table.as_mut(), k)
                        .iter_mut()
                        .for_each(|l| *l += ln(w));
                }
                responsibilities(table)
            };
            (r, r_valid) = (joint(&train), joint(&valid));
            model.weights = self.train.shares(r.as_ref());
        }
        Ok(ConditionalExpert {
            bijection,
            flows: model,
        })
    }

    fn failed(&self, name: &str, source: ExpertError) -> AmortisedError {
        AmortisedError::Expert {
            expert: name.into(),
            source,
        }
    }

    /// Trains one flow of expert e on pairs in its frame; `steps` are those done before and those
    /// of this call.
    fn train(
        &self,
        e: usize,
        flow: &mut Flow,
        (train, valid): (&Pairs, &Pairs),
        (done, steps): (usize, usize),
        label: &str,
    ) -> Result<(), AmortisedError> {
        let (name, settings) = &self.config.experts[e];
        let total = settings.fit.steps;
        let mut fit = settings.fit.clone();
        fit.evaluate_every = (fit.evaluate_every * steps).div_ceil(total).max(1);
        fit.steps = steps;
        let log_det = self.standardise.log_det();
        let observer = |p: &Progress<'_>| {
            self.context.tell(&Progress {
                expert: name,
                experts: (e, self.config.experts.len()),
                step: done + p.step,
                total,
                held_out_nll: p.held_out_nll.map(|nll| nll - log_det),
                ..*p
            })
        };
        let report = flow
            .fit(
                train.data(),
                Some(valid.data()),
                &fit,
                &mut stream(self.seed, &format!("amortised/{name}/{label}")),
                &self.context.observed_by(&observer),
            )
            .map_err(|e| self.failed(name, e.into()))?;
        if report.termination == Termination::Interrupted {
            return Err(AmortisedError::Interrupted);
        }
        Ok(())
    }

    fn weigh(&self, experts: Vec<ConditionalExpert>) -> Result<Amortised, AmortisedError> {
        let (theta, y) = (self.valid.theta.as_ref(), self.valid.y.as_ref());
        let mut table = Mat::zeros(theta.nrows(), experts.len());
        for (k, e) in experts.iter().enumerate() {
            col_mut(table.as_mut(), k).copy_from_slice(&e.log_prob(theta, y));
        }
        let source = WeightData::HeldOut {
            table: table.as_ref(),
            weights: self.valid.weights.as_deref(),
        };
        let weights = self.config.rule.learn(&source, self.seed)?;
        let nll = |log_q: &[f64]| self.valid.data().mean_nll(log_q);
        Ok(Amortised {
            held_out_nll: nll(&mixture_log_prob(table.as_ref(), &weights.pi)),
            expert_nll: (0..experts.len())
                .map(|k| nll(col(table.as_ref(), k)))
                .collect(),
            names: self.config.experts.iter().map(|(n, _)| n.clone()).collect(),
            experts,
            weights,
        })
    }
}

/// Turns `ln (w_k q_k)` into responsibilities, row by row.
fn responsibilities(mut joint: Mat<f64>) -> Mat<f64> {
    for i in 0..joint.nrows() {
        let row: Vec<f64> = (0..joint.ncols()).map(|k| joint[(i, k)]).collect();
        let total = ln_sum_exp(&row);
        for (k, l) in row.into_iter().enumerate() {
            joint[(i, k)] = if total.is_finite() {
                exp(l - total)
            } else {
                1.0 / joint.ncols() as f64
            };
        }
    }
    joint
}
