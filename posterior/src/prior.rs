//! Priors with independent coordinates, by name.

use faer::prelude::*;
use numerics::distribution::Distribution;
use numerics::math::normal_cdf;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A prior as a map from `N(0, I)`: what annealing needs of it.
///
/// Samplers that work in the unit cube ask for the same map under the name "prior transform"; see
/// [`UnitCube`].
pub trait PriorMap: Sync {
    /// Names of the parameters.
    fn names(&self) -> &[String];

    /// Which parameters are periodic: both ends of their prior are the same point, as of an angle.
    fn periodic(&self) -> Vec<bool> {
        vec![false; self.names().len()]
    }

    /// The parameters of rows z (n x d): draws of the prior, when z are draws of `N(0, I)`.
    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64>;

    /// Where [`Self::at`] gives draws of the prior only nearly: `ln` of the prior's density over that of
    /// these draws, nats, for each row z. The likelihood is not asked where it is -infinity.
    fn log_ratio(&self, _z: MatRef<'_, f64>) -> Option<Vec<f64>> {
        None
    }
}

/// A prior with independent coordinates.
///
/// ```
/// use posterior::Prior;
///
/// let prior = Prior::parse(["mu = normal(0, 5)", "tau = half_normal(1)", "p = uniform(0, 1)"])?;
/// assert_eq!(prior.dim(), 3);
/// assert_eq!(prior.log_density(&[0.0, -1.0, 0.5]), f64::NEG_INFINITY);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Prior {
    names: Vec<String>,
    distributions: Vec<Distribution>,
    periodic: BTreeSet<String>,
}

/// A [`Prior`] as it is read.
#[derive(Deserialize)]
#[serde(rename = "Prior", deny_unknown_fields)]
struct Unchecked {
    names: Vec<String>,
    distributions: Vec<Distribution>,
    #[serde(default)]
    periodic: BTreeSet<String>,
}

impl TryFrom<Unchecked> for Prior {
    type Error = String;

    fn try_from(read: Unchecked) -> Result<Self, String> {
        let (names, distributions) = (read.names.len(), read.distributions.len());
        if names != distributions {
            return Err(format!("{names} names for {distributions} distributions"));
        }
        Self::new(read.names.into_iter().zip(read.distributions))?.with_periodic(read.periodic)
    }
}

impl Prior {
    /// Coordinates with their names.
    ///
    /// # Errors
    /// A message that names the parameter: two of one name, or a distribution whose numbers are out
    /// of range.
    pub fn new<S: Into<String>>(
        coordinates: impl IntoIterator<Item = (S, Distribution)>,
    ) -> Result<Self, String> {
        let coordinates = coordinates.into_iter().map(|(name, d)| (name.into(), d));
        let (names, distributions): (Vec<String>, Vec<Distribution>) = coordinates.unzip();
        let prior = Self {
            names,
            distributions,
            periodic: BTreeSet::new(),
        };
        prior.check()?;
        Ok(prior)
    }

    /// With parameters that are periodic, such as angles: the ends of their uniform prior are the same
    /// point, and a mode there is one.
    ///
    /// # Errors
    /// A name that is not a parameter's, or of a prior that is not uniform.
    pub fn with_periodic<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self, String> {
        self.periodic.extend(names.into_iter().map(Into::into));
        self.check()?;
        Ok(self)
    }

    /// Coordinates as text, `name = distribution(numbers)`: uniform(low, high), log_uniform(low,
    /// high), normal(mean, sd), log_normal(mu, sigma), half_normal(sd), truncated_normal(mean, sd,
    /// low, high), exponential(rate), gamma(shape, rate), beta(a, b), cauchy(location, scale),
    /// student_t(df, location, scale). `phase = uniform(0, 6.2832) periodic` is an angle, see
    /// [`Self::with_periodic`].
    ///
    /// # Errors
    /// A message that quotes the text.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut periodic = Vec::new();
        let mut coordinates = Vec::new();
        for line in lines {
            let (name, distribution, is_periodic) = coordinate(line)?;
            if is_periodic {
                periodic.push(name.clone());
            }
            coordinates.push((name, distribution));
        }
        Self::new(coordinates)?.with_periodic(periodic)
    }

    /// `N(0, I)` in `dim` coordinates, `theta_1`, `theta_2`, ...
    #[must_use]
    pub fn standard_normal(dim: usize) -> Self {
        let normal = Distribution::Normal { mean: 0.0, sd: 1.0 };
        Self {
            names: (1..=dim).map(|j| format!("theta_{j}")).collect(),
            distributions: vec![normal; dim],
            periodic: BTreeSet::new(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Err("a prior needs at least one parameter".into());
        }
        let mut seen = BTreeSet::new();
        for (name, d) in self.names.iter().zip(&self.distributions) {
            let allowed = |c: char| c.is_alphanumeric() || "_.-[]".contains(c);
            if name.is_empty() || !name.chars().all(allowed) {
                return Err(format!(
                    "\"{name}\": the name of a parameter has letters, digits and any of _ . - [ ]"
                ));
            }
            if !seen.insert(name) {
                return Err(format!("two parameters are called \"{name}\""));
            }
            apart(*d)
                .and_then(|()| d.check())
                .and_then(|()| resolved(*d))
                .map_err(|e| format!("parameter \"{name}\": {e}"))?;
            if self.periodic.contains(name) && !matches!(d, Distribution::Uniform { .. }) {
                return Err(format!(
                    "parameter \"{name}\": only a uniform prior can be periodic"
                ));
            }
        }
        match self.periodic.iter().find(|p| !seen.contains(p)) {
            Some(name) => Err(format!("\"{name}\" is to be periodic and is no parameter")),
            None => Ok(()),
        }
    }

    /// Number of parameters d.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.names.len()
    }

    /// The distribution of each parameter.
    #[must_use]
    pub fn distributions(&self) -> &[Distribution] {
        &self.distributions
    }

    /// `ln` of its density, nats; -infinity outside of the support.
    ///
    /// # Panics
    /// Unless there is one value for each parameter.
    #[must_use]
    pub fn log_density(&self, theta: &[f64]) -> f64 {
        assert_eq!(theta.len(), self.dim(), "one value for each parameter");
        let terms = self
            .distributions
            .iter()
            .zip(theta)
            .map(|(d, t)| d.log_pdf(*t));
        terms.sum()
    }
}

impl PriorMap for Prior {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn periodic(&self) -> Vec<bool> {
        self.names
            .iter()
            .map(|n| self.periodic.contains(n))
            .collect()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        Mat::from_fn(z.nrows(), z.ncols(), |i, j| {
            self.distributions[j].at(z[(i, j)])
        })
    }
}

/// A prior transform of the user's own, from the unit cube to the parameters, as nested samplers
/// take it.
pub struct UnitCube<F> {
    names: Vec<String>,
    periodic: Vec<bool>,
    transform: F,
}

impl<F: Fn(&[f64]) -> Vec<f64> + Sync> UnitCube<F> {
    /// `transform(u)` gives the parameters at a point u of the open unit cube: draws of the prior
    /// when u is uniform. The same u must always give the same parameters.
    #[must_use]
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>, transform: F) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        Self {
            periodic: vec![false; names.len()],
            names,
            transform,
        }
    }

    /// With parameters that are periodic in u: 0 and 1 are the same point.
    ///
    /// # Panics
    /// Unless there is one value for each parameter.
    #[must_use]
    pub fn periodic(mut self, periodic: &[bool]) -> Self {
        assert_eq!(periodic.len(), self.names.len(), "one value a parameter");
        self.periodic = periodic.to_vec();
        self
    }
}

impl<F: Fn(&[f64]) -> Vec<f64> + Sync> PriorMap for UnitCube<F> {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn periodic(&self) -> Vec<bool> {
        self.periodic.clone()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        let d = self.names.len();
        let (least, most) = (f64::MIN_POSITIVE, 1.0_f64.next_down());
        let mut theta = Mat::zeros(z.nrows(), d);
        for i in 0..z.nrows() {
            let u: Vec<f64> = (0..d)
                .map(|j| normal_cdf(z[(i, j)]).clamp(least, most))
                .collect();
            let row = (self.transform)(&u);
            for j in 0..d {
                // A row of another length is caught as NaN where the points are checked.
                theta[(i, j)] = row
                    .get(j)
                    .copied()
                    .filter(|_| row.len() == d)
                    .unwrap_or(f64::NAN);
            }
        }
        theta
    }
}

/// The fewest different numbers between the quantiles of 16 and 84 %.
const STEPS: f64 = 1000.0;

/// Fails for ends between which there is no number.
fn apart(distribution: Distribution) -> Result<(), String> {
    let (low, high) = distribution.support();
    if low < high && low.next_up() >= high {
        return Err(format!(
            "its prior is narrower than numbers of its size can tell apart: there is none between {low:?} and {high:?}; \
             shift the parameter, or widen the prior"
        ));
    }
    Ok(())
}

/// Fails for a prior so narrow that numbers of its size cannot tell its draws apart.
fn resolved(distribution: Distribution) -> Result<(), String> {
    let (low, high) = (distribution.at(-1.0), distribution.at(1.0));
    let largest = low.abs().max(high.abs());
    let step = largest - largest.next_down();
    // Infinities are wide enough.
    if high - low < STEPS * step {
        return Err(format!(
            "its prior is narrower than numbers of its size can tell apart: the quantiles of 16 and 84 % are {low:?} and {high:?}, \
             and neighbouring numbers there are {step:.1e} apart; shift the parameter to its middle, or widen the prior"
        ));
    }
    Ok(())
}

/// `name = distribution(a, b)`, and whether `periodic` follows.
fn coordinate(text: &str) -> Result<(String, Distribution, bool), String> {
    let wrong = |why: &str| {
        format!(
            "prior \"{}\": {why}; write it like 'mu = normal(0, 1)'",
            text.trim()
        )
    };
    let (name, law) = text.split_once('=').ok_or_else(|| wrong("there is no ="))?;
    let (kind, rest) = law.split_once('(').ok_or_else(|| wrong("there is no ("))?;
    let (numbers, after) = rest
        .rsplit_once(')')
        .ok_or_else(|| wrong("there is no ) at its end"))?;
    let periodic = match after.trim() {
        "" => false,
        "periodic" => true,
        word => {
            let word = format!("\"{word}\" behind the ) is not known; did you mean periodic?");
            return Err(wrong(&word));
        }
    };
    let numbers: Vec<f64> = numbers
        .split(',')
        .map(|t| {
            t.trim()
                .parse()
                .map_err(|_| wrong(&format!("\"{}\" is not a number", t.trim())))
        })
        .collect::<Result<_, _>>()?;
    let distribution = match (kind.trim(), numbers[..].as_ref()) {
        ("uniform", &[low, high]) => Distribution::Uniform { low, high },
        ("log_uniform", &[low, high]) => Distribution::LogUniform { low, high },
        ("normal", &[mean, sd]) => Distribution::Normal { mean, sd },
        ("log_normal", &[mu, sigma]) => Distribution::LogNormal { mu, sigma },
        ("half_normal", &[sd]) => Distribution::HalfNormal { sd },
        ("truncated_normal", &[mean, sd, low, high]) => Distribution::TruncatedNormal {
            mean,
            sd,
            low,
            high,
        },
        ("exponential", &[rate]) => Distribution::Exponential { rate },
        ("gamma", &[shape, rate]) => Distribution::Gamma { shape, rate },
        ("beta", &[a, b]) => Distribution::Beta { a, b },
        ("cauchy", &[location, scale]) => Distribution::Cauchy { location, scale },
        ("student_t", &[df, location, scale]) => Distribution::StudentT {
            df,
            location,
            scale,
        },
        (kind, numbers) => {
            let takes = KINDS.iter().find(|(name, _)| *name == kind);
            return Err(wrong(&match takes {
                Some((_, takes)) => {
                    format!("{kind} takes ({takes}), not {} numbers", numbers.len())
                }
                None => {
                    let all: Vec<&str> = KINDS.iter().map(|k| k.0).collect();
                    format!("\"{kind}\" is not one of {}", all.join(", "))
                }
            }));
        }
    };
    Ok((name.trim().to_owned(), distribution, periodic))
}

/// Names of distributions and of their numbers.
const KINDS: [(&str, &str); 11] = [
    ("uniform", "low, high"),
    ("log_uniform", "low, high"),
    ("normal", "mean, sd"),
    ("log_normal", "mu, sigma"),
    ("half_normal", "sd"),
    ("truncated_normal", "mean, sd, low, high"),
    ("exponential", "rate"),
    ("gamma", "shape, rate"),
    ("beta", "a, b"),
    ("cauchy", "location, scale"),
    ("student_t", "df, location, scale"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distribution_can_be_written_as_text() {
        for (name, takes) in KINDS {
            let numbers = match takes.split(',').count() {
                1 => "2",
                2 => "1, 2",
                3 => "3, 0, 1",
                _ => "0, 1, -1, inf",
            };
            let prior = Prior::parse([format!("a = {name}({numbers})").as_str()]).unwrap();
            assert_eq!(prior.names(), ["a"]);
        }
    }

    #[test]
    fn what_is_wrong_with_a_prior_is_quoted() {
        let refuse = |text: &str, says: &str| {
            let error = Prior::parse([text]).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        };
        refuse("a", "there is no =");
        refuse("a = normal", "there is no (");
        refuse("a = normal(0, 1", "no )");
        refuse(
            "a = uniform(0, 1) periodc",
            "\"periodc\" behind the ) is not known; did you mean periodic?",
        );
        refuse("a = normal(0, x)", "\"x\" is not a number");
        refuse("a = normal(0)", "normal takes (mean, sd), not 1 numbers");
        refuse("a = nromal(0, 1)", "\"nromal\" is not one of uniform, ");
        refuse("a = normal(0, -1)", "parameter \"a\": sd must be positive");
        refuse("a b = normal(0, 1)", "\"a b\"");
        refuse(
            "a = normal(0, 1) periodic",
            "only a uniform prior can be periodic",
        );
        let twice = Prior::parse(["a = normal(0, 1)", "a = uniform(0, 1)"]).unwrap_err();
        assert!(twice.contains("two parameters are called \"a\""));
    }

    #[test]
    fn priors_narrower_than_the_resolution_of_numbers_are_refused() {
        for narrow in [
            "a = uniform(1, 1.0000000000000002)",
            "a = uniform(1, 1.00000000000001)",
            "a = normal(1e6, 1e-12)",
            "a = truncated_normal(1, 1e-15, 0, 2)",
        ] {
            let error = Prior::parse([narrow]).unwrap_err();
            let known = error.contains("parameter \"a\"") && error.contains("numbers of its size");
            assert!(known, "{narrow}: {error}");
        }
        for wide in [
            "a = normal(1e6, 1e-3)",
            "a = uniform(1, 1.000000000001)",
            "a = log_uniform(1e-300, 1e300)",
            "a = half_normal(1e-300)",
            "a = beta(0.01, 0.01)",
            "a = student_t(0.01, 0, 1)",
        ] {
            assert!(Prior::parse([wide]).is_ok(), "{wide}");
        }
    }

    #[test]
    fn a_transform_of_the_unit_cube_and_named_distributions_agree() {
        let own = UnitCube::new(["a", "b"], |u| vec![2.0 * u[0] - 1.0, u[1]]);
        let named = Prior::parse(["a = uniform(-1, 1)", "b = uniform(0, 1)"]).unwrap();
        let z = Mat::from_fn(50, 2, |i, j| 0.1 * i as f64 - 2.0 + j as f64);
        let (a, b) = (own.at(z.as_ref()), named.at(z.as_ref()));
        for i in 0..50 {
            for j in 0..2 {
                assert!((a[(i, j)] - b[(i, j)]).abs() < 1e-14);
            }
        }
        let short = UnitCube::new(["a", "b"], |u| vec![u[0]]);
        assert!(short.at(z.as_ref())[(0, 0)].is_nan());
    }
}
