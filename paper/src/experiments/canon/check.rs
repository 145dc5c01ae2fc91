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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol_file::parse;

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let refused = |problems: &str, says: &str| {
            let text = format!("(protocol: \"p\", seeds: [1], ess: 100,\nproblems: [{problems}])");
            let error = parse::<CanonStudy>(&text, "p.ron").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        let one = "(name: \"normal_2\", evaluations: 10)";
        refused("", "problems must not be empty");
        refused(&format!("{one}, {one}"), "normal_2 is listed twice");
        refused(
            "(name: \"normal_3\", evaluations: 10)",
            "there is no problem \"normal_3\"",
        );
        refused("(name: \"normal_2\", evaluations: 0)", "p.ron:2");
        refused(
            "(name: \"normal_2\", evaluations: 9, seeds: [3, 3])",
            "3 is listed twice",
        );
    }
}
