//! Every table, from records.

mod coverage;
mod evidence;
mod targets;
mod times;

use super::record::CanonRecord;
use crate::engine::table::Table;

/// The records of one protocol and problem: one for each seed.
pub type Arm<'a> = crate::engine::arm::Arm<'a, CanonRecord>;

/// Tables that a protocol can ask for.
pub const NAMES: &[&str] = &["targets", "evidence", "one_shot", "coverage", "times"];

/// The table of this name; none where no record has a row in it.
#[must_use]
pub fn named(name: &str, protocol: &str, arms: &[Arm<'_>]) -> Option<Table> {
    let table = match name {
        "targets" => targets::targets(protocol, arms),
        "evidence" => evidence::evidence(protocol, arms),
        "one_shot" => evidence::one_shot(protocol, arms),
        "coverage" => coverage::coverage(protocol, arms),
        "times" => times::times(protocol, arms),
        _ => return None,
    };
    (!table.rows.is_empty()).then_some(table)
}

impl Arm<'_> {
    /// The median over the seeds of a measure of annealing.
    #[must_use]
    pub fn median(&self, metric: &str) -> Option<f64> {
        median(self.values("annealed", metric))
    }

    /// In how many runs the true evidence is within two stated standard errors: "4 of 5".
    fn covered(&self) -> String {
        let met = self.values("annealed", "covered").iter().sum::<f64>();
        format!("{met} of {}", self.records.len())
    }
}

/// The middle value, or the mean of the two in the middle; none without values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| 0.5 * (values[(n - 1) / 2] + values[n / 2]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_of_any_number() {
        assert_eq!(super::median(vec![]), None);
        assert_eq!(super::median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(super::median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
