//! Fits of proposals to weighted points.

use crate::parts::Parts;
use crate::settings::FlowSettings;
use amf::experts::{BaseConfig, Components, FlowExpert, GaussianMixtureExpert, RbigExpert};
use amf::{ExpertConfig, NamedExpert, WeightData, WeightRule};
use autodiff::{AdamConfig, Schedule};
use density::{Data, Density, EmConfig, EmError, FitContext, GaussianMixture, Mixture};
use faer::prelude::*;
use flows::{Architecture, Batch, FitConfig};
use metrics::ImportanceWeights;
use numerics::math::{dot, ln};
use numerics::matrix::{col_mut, select_rows};
use numerics::random::Pcg64;
use numerics::random::permutation;
use rayon::prelude::*;
use rbig::{LayerRule, MarginalKind, RbigConfig, RotationKind};
use std::sync::Arc;

/// Numbers of components that are tried.
const GRID: [usize; 15] = [1, 2, 3, 4, 6, 8, 11, 16, 20, 24, 32, 40, 48, 64, 96];

const EM: EmConfig = EmConfig {
    restarts: 1,
    iterations: 100,
    tolerance: 1e-5,
    floor: 1e-6,
    prior: 0.0,
};

/// Log-density that stands for none, nats: stacking wants finite ones.
const IMPOSSIBLE: f64 = -1e6;

/// A fitted proposal.
pub(super) struct Model {
    pub density: Arc<dyn Density>,
    /// Of its Gaussian mixture.
    pub components: usize,
}

/// How a proposal is fitted.
pub(super) struct Fit<'a> {
    /// Components of the round before.
    pub start: usize,
    /// The most components.
    pub max: usize,
    /// Whether flows are fitted as well.
    pub flows: bool,
    /// The stream for a purpose.
    pub rng: &'a (dyn Fn(&str) -> Pcg64 + Sync),
}

impl Fit<'_> {
    /// Experts on four fifths of the points, stacked on the last fifth.
    pub fn model(&self, points: &Mat<f64>, weights: &[f64]) -> Result<Model, EmError> {
        let order = permutation(&mut (self.rng)("folds"), weights.len());
        let (own, others) = order.split_at(weights.len() / 5);
        let part = |rows: &[usize]| {
            let weights: Vec<f64> = rows.iter().map(|&i| weights[i]).collect();
            (select_rows(points.as_ref(), rows), weights)
        };
        let ((train, train_weights), (valid, valid_weights)) = (part(others), part(own));
        let train = Data::new(train.as_ref()).weighted(&train_weights[..]);
        let valid = Data::new(valid.as_ref()).weighted(&valid_weights[..]);
        let mixture = mixture(train, self.start, self.max, self.rng)?;
        let components = mixture.len();
        let mut experts: Vec<Box<dyn Density>> = vec![Box::new(with_tails(&mixture))];
        let configs = self.experts(components, train.points.ncols());
        let fitted: Vec<_> = configs
            .par_iter()
            .map(|e| {
                let rng = |purpose: &str| (self.rng)(&format!("{}/{purpose}", e.name));
                let context = FitContext::default();
                e.kind.fit(&e.name, train, Some(valid), &rng, &context)
            })
            .collect();
        // One that cannot be fitted is left out: the mixture is always there.
        experts.extend(fitted.into_iter().flatten().map(|f| f.expert));
        let mut table = Mat::zeros(valid.points.nrows(), experts.len());
        for (e, expert) in experts.iter().enumerate() {
            let column = expert.log_prob(valid.points);
            for (to, l) in col_mut(table.as_mut(), e).iter_mut().zip(column) {
                *to = if l.is_finite() { l } else { IMPOSSIBLE };
            }
        }
        let source = WeightData::HeldOut {
            table: table.as_ref(),
            weights: Some(&valid_weights),
        };
        let pi = match WeightRule::default().learn(&source, 1) {
            Ok(learned) => learned.pi,
            Err(_) => (0..experts.len())
                .map(|e| if e == 0 { 1.0 } else { 0.0 })
                .collect(),
        };
        // Weightless experts only cost time.
        let kept = experts.into_iter().zip(pi).filter(|(_, p)| *p > 1e-3);
        let (experts, pi): (Vec<_>, Vec<f64>) = kept.unzip();
        let total: f64 = pi.iter().sum();
        let pi = pi.iter().map(|p| p / total).collect();
        Ok(Model {
            density: Arc::new(Mixture::new(experts, pi)),
            components,
        })
    }

    fn experts(&self, components: usize, d: usize) -> Vec<NamedExpert> {
        let rbig = RbigConfig {
            layers: LayerRule::HeldOut {
                max_layers: 20,
                patience: 4,
                min_gain: 0.0,
            },
            marginal: MarginalKind::smooth(),
            rotation: RotationKind::MostNonGaussian { candidates: 8 },
        };
        let mut all = vec![NamedExpert::new(
            "rbig",
            ExpertConfig::Rbig(RbigExpert { model: rbig }),
        )];
        if self.flows {
            let width = if d <= 3 { 32 } else { 64 };
            let fit = FitConfig {
                steps: 1500,
                batch: Batch::Size(250),
                learning_rate: 2e-3,
                schedule: Schedule::Cosine { floor: 0.0 },
                adam: AdamConfig::default(),
                clip_norm: Some(5.0),
                evaluate_every: 50,
                patience: Some(6),
            };
            let base = BaseConfig::GaussianMixture(GaussianMixtureExpert {
                components: Components::Fixed(components),
                average: 1,
                em: EM,
            });
            let mut flow = |name: &str, architecture: Architecture, base: BaseConfig| {
                let flow = FlowExpert {
                    architecture,
                    standardise: true,
                    base,
                    fit: fit.clone(),
                };
                all.push(NamedExpert::new(name, ExpertConfig::Flow(flow)));
            };
            flow(
                "maf",
                Architecture::maf(6, &[width, width]),
                BaseConfig::StandardNormal,
            );
            let realnvp = FlowSettings::realnvp(6, &[width, width], fit.clone()).architecture;
            flow("realnvp", realnvp, base);
        }
        all
    }
}

/// The mixture with the smallest BIC. The search starts at `start` components, the number of the
/// round before, and goes up or down while the BIC falls.
pub(super) fn mixture(
    data: Data<'_>,
    start: usize,
    max: usize,
    rng: &(dyn Fn(&str) -> Pcg64 + Sync),
) -> Result<GaussianMixture, EmError> {
    let shares = data.shares();
    let n = 1.0 / dot(&shares, &shares);
    let d = data.points.ncols() as f64;
    // A component wants more points than it has directions.
    let most = ((n / (d + 2.0)) as usize).clamp(1, max);
    let grid: Vec<usize> = GRID.iter().copied().filter(|k| *k <= most).collect();
    let score = |k: usize| -> Result<(f64, GaussianMixture), EmError> {
        let tries: Vec<_> = (0..2)
            .into_par_iter()
            .map(|t| GaussianMixture::fit(data, k, &EM, &mut rng(&format!("{k}/{t}"))))
            .collect();
        let mut best: Option<(f64, GaussianMixture)> = None;
        let mut error = None;
        for fitted in tries {
            match fitted {
                Ok(m) => {
                    let log_prob = m.log_prob(data.points);
                    let bic = m.num_free() as f64 * ln(n) - 2.0 * n * dot(&log_prob, &shares);
                    if best.as_ref().is_none_or(|b| bic < b.0) {
                        best = Some((bic, m));
                    }
                }
                Err(e) => error = Some(e),
            }
        }
        best.ok_or_else(|| error.unwrap_or(EmError::Singular))
    };
    let at = grid.iter().rposition(|k| *k <= start).unwrap_or(0);
    let mut best = score(grid[at])?;
    let mut found = false;
    let mut misses = 0;
    for &k in &grid[at + 1..] {
        match score(k) {
            Ok(next) if next.0 < best.0 => {
                (best, found, misses) = (next, true, 0);
            }
            _ => misses += 1,
        }
        if misses == 2 {
            break;
        }
    }
    if !found {
        for &k in grid[..at].iter().rev() {
            match score(k) {
                Ok(next) if next.0 < best.0 => best = next,
                _ => break,
            }
        }
    }
    Ok(best.1)
}

/// With the tails of a proposal: in d dimensions the radius of a normal is `sqrt d` +- 0.7, and the
/// wide part reaches about one and a half beyond.
pub(super) fn with_tails(mixture: &GaussianMixture) -> GaussianMixture {
    let d = mixture.dim() as f64;
    Parts::of(mixture)
        .with_tails(0.05, 1.0 + 1.0 / d.sqrt())
        .build()
}

/// Rows and weights worth fitting to.
pub(super) fn thin(
    log_weights: &[f64],
    most: usize,
    rng: &mut Pcg64,
) -> Option<(Vec<usize>, Vec<f64>)> {
    let weights = ImportanceWeights::new(log_weights).ok()?;
    let wanted = (4.0 * weights.reliability().ess).ceil() as usize;
    Some(weights.thin(wanted.min(most), rng))
}
