//! All test problems of evidence, by name.

use super::canon::Canon;

impl Canon {
    /// The problems that the study measures: functions with an exact evidence, then real models.
    pub const NAMES: [&str; 23] = [
        "normal_2",
        "normal_5",
        "normal_10",
        "normal_20",
        "normal_30",
        "shells_2",
        "shells_5",
        "shells_10",
        "log_gamma_2",
        "log_gamma_10",
        "log_gamma_20",
        "rosenbrock_2",
        "rosenbrock_10",
        "eggbox_2",
        "funnel_10",
        "spike_and_slab_10",
        "signs_6",
        "logistic_10",
        "logistic_25",
        "eight_schools_10",
        "lotka_volterra_8",
        "radial_velocity_11",
        "gaussian_process_3",
    ];

    /// The problem of this name: a kind, `_`, and its number of dimensions.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (kind, dim) = name.rsplit_once('_')?;
        let dim = dim.parse().ok().filter(|d| (1..=100).contains(d))?;
        let found = match kind {
            "normal" => Self::normal(dim),
            "shells" => Self::shells(dim),
            "log_gamma" if dim > 1 => Self::log_gamma(dim),
            "rosenbrock" if dim % 2 == 0 => Self::rosenbrock(dim),
            "eggbox" => Self::eggbox(),
            "funnel" if dim > 1 => Self::funnel(dim),
            "spike_and_slab" => Self::spike_and_slab(dim),
            "signs" if dim <= 16 => Self::signs(dim),
            "logistic" if dim == 10 || dim == 25 => Self::logistic(dim),
            "eight_schools" => Self::eight_schools(),
            "lotka_volterra" => Self::lotka_volterra(),
            "radial_velocity" => Self::radial_velocity(),
            "gaussian_process" => Self::gaussian_process(),
            _ => return None,
        };
        (found.name == name).then_some(found)
    }

    /// All of [`Self::NAMES`].
    #[must_use]
    pub fn all() -> Vec<Self> {
        Self::NAMES
            .iter()
            .filter_map(|name| Self::named(name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_problem() {
        for name in Canon::NAMES {
            let canon = Canon::named(name).unwrap();
            assert_eq!(canon.name, name);
            assert_eq!(canon.parameters.len(), canon.dim());
            assert!(canon.log_evidence.is_finite(), "{name}");
        }
        for wrong in ["", "normal", "normal_0", "eggbox_3", "logistic_11", "x_2"] {
            assert!(Canon::named(wrong).is_none(), "{wrong}");
        }
    }
}
