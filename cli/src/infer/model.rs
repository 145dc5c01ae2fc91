//! The model file: a density fitted to the draws.

use super::super::cli::Infer;
use super::super::output::Output;
use super::super::{Interrupted, fit, progress, summary, unless_stopped};
use amf::{Column, DensityError, Draws, Recipe};
use anyhow::{Context, Result};
use density::{FitContext, Progress, Support};
use metrics::ImportanceWeights;
use numerics::distribution::Distribution;
use numerics::math::ln;
use numerics::matrix::select_rows;
use numerics::random::stream;
use posterior::{Inference, Prior, PriorMap};
use std::path::Path;
use store::Signals;

/// Draws that the model is fitted to.
const DRAWS: usize = 4000;

/// Where the model goes, and how it is fitted.
pub struct Model {
    out: Output,
    recipe: Recipe,
}

impl Model {
    /// None if no model is asked for.
    pub fn check(args: &Infer, read: &[&Path]) -> Result<Option<Self>> {
        let Some(out) = &args.out else {
            return Ok(None);
        };
        let recipe = args.config.as_deref().map(fit::read_settings).transpose()?;
        Ok(Some(Self {
            out: Output::check_as("--out", Some(out), read)?,
            recipe: recipe.unwrap_or_default(),
        }))
    }

    /// Fits it and writes it.
    pub fn write(
        &self,
        args: &Infer,
        prior: &Prior,
        found: &Inference,
        signals: &Signals,
    ) -> Result<()> {
        let seed = args.seed.seed;
        let logs: Vec<f64> = found.weights().iter().map(|w| ln(*w)).collect();
        let (rows, weights) =
            ImportanceWeights::new(&logs)?.thin(DRAWS, &mut stream(seed, "model"));
        let points = select_rows(found.theta(), &rows);
        // In the scale in which their mean is Z.
        let scale = found.log_evidence().value + ln(weights.len() as f64);
        let log_weights: Vec<f64> = weights.iter().map(|w| ln(*w) + scale).collect();
        let each = prior.names().iter().zip(prior.distributions());
        let columns: Vec<Column> = each
            .map(|(name, d)| Column {
                support: support(*d),
                ..Column::real(name)
            })
            .collect();
        let draws = Draws {
            columns: (&columns).into(),
            points: points.as_ref(),
            log_weights: Some(&log_weights),
            chains: None,
            source: Some("amf infer"),
        };
        let display = progress::Display::new();
        let observer = |p: &Progress<'_>| {
            display.show(p);
            unless_stopped(signals)
        };
        let context = FitContext::default().observed_by(&observer);
        let fitted = self.recipe.fit(&draws, seed, &context);
        display.clear();
        let density = match fitted {
            Err(DensityError::Interrupted) => {
                return Err(Interrupted(signals.interrupted()).into());
            }
            fitted => fitted.context("the model of the draws")?,
        };
        let bytes = density.to_bytes()?;
        self.out.write(|w| w.write_all(&bytes))?;
        say!("{}", summary::without_evidence(&density).trim_end());
        if let Some(path) = &args.out {
            say!("model: {}", path.display());
        }
        Ok(())
    }
}

/// The support of a parameter.
fn support(distribution: Distribution) -> Support {
    match distribution.support() {
        (low, high) if low.is_finite() && high.is_finite() => Support::Interval { low, high },
        (0.0, _) => Support::Positive,
        (low, _) if low.is_finite() => Support::Above { low },
        (_, high) if high.is_finite() => Support::Below { high },
        _ => Support::Real,
    }
}
