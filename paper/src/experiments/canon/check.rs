//! Checks of a study across fields.

use super::settings::CanonStudy;
use crate::engine::config::{FieldError, distinct, fits, name_of_protocol, not_empty};
use datasets::posterior::Canon;

/// Checks that a study can be run.
pub fn check(study: &CanonStudy) -> Result<(), FieldError> {
    name_of_protocol(&study.protocol)?;
    not_empty([
        ("seeds", study.seeds.len()),
        ("problems", study.problems.len()),
    ])?;
    fits(&[study.seeds.len(), study.problems.len()])?;
    distinct("seeds", &study.seeds)?;
    let mut seen = Vec::new();
    for (i, problem) in study.problems.iter().enumerate() {
        let error = |reason: String, field| FieldError::new(reason).at(field).at(i).at("problems");
        let name = problem.name.as_str();
        if !Canon::NAMES.contains(&name) {
            let known = Canon::NAMES.join(", ");
            return Err(error(
                format!("there is no problem \"{name}\", only {known}"),
                "name",
            ));
        }
        if seen.contains(&name) {
            return Err(error(format!("{name} is listed twice"), "name"));
        }
        seen.push(name);
        if let Some(seeds) = &problem.seeds {
            not_empty([("seeds", seeds.len())]).map_err(|e| e.at(i).at("problems"))?;
            distinct("seeds", seeds).map_err(|e| e.at(i).at("problems"))?;
        }
    }
    Ok(())
}
