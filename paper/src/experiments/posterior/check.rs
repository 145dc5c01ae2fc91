//! Checks of a study across fields.

use super::settings::{Plan, PosteriorStudy, Problems};
use crate::engine::config::{
    FieldError, Segment, distinct, fits, is_name, name_of_protocol, names, not_empty,
};
use datasets::posterior::Benchmark;
use density::EmConfig;
use posterior::{FlowSettings, PosteriorBase, PosteriorConfig};
use std::collections::BTreeSet;

/// Checks that a study can be run.
pub fn check(study: &PosteriorStudy) -> Result<(), FieldError> {
    name_of_protocol(&study.protocol)?;
    not_empty([
        ("seeds", study.seeds.len()),
        ("bases", study.bases.len()),
        ("problems", study.problems.len()),
    ])?;
    for (k, p) in study.problems.iter().enumerate() {
        let lists = [("benchmarks", p.benchmarks.len()), ("plans", p.plans.len())];
        not_empty(lists).map_err(|e| e.at(k).at("problems"))?;
    }
    let combined = |p: &Problems| p.benchmarks.len() * p.plans.len() * (1 + p.model.experts.len());
    let combined = study.problems.iter().map(combined);
    let combined = combined.fold(0usize, usize::saturating_add);
    fits(&[study.seeds.len(), study.bases.len(), combined])?;
    distinct("seeds", &study.seeds)?;
    check_benchmarks(study)?;
    let bases: Vec<&str> = study.bases.iter().map(|b| b.name.as_str()).collect();
    names(&bases, &[]).map_err(|(i, e)| e.at("name").at(i).at("bases"))?;
    for (i, base) in study.bases.iter().enumerate() {
        if let Some(seeds) = &base.seeds {
            let own = not_empty([("seeds", seeds.len())]).and_then(|()| distinct("seeds", seeds));
            own.map_err(|e| e.at(i).at("bases"))?;
        }
        if let Some(experts) = &base.experts {
            check_experts(experts, &["mixture", "base"])
                .map_err(|e| e.at("experts").at(i).at("bases"))?;
        }
    }
    let unknown = |n: &String| !bases.contains(&n.as_str());
    if let Some(i) = study.shown.iter().position(unknown) {
        let name = &study.shown[i];
        let reason = format!("shown must name bases, and no base is called \"{name}\"");
        return Err(FieldError::new(reason).at(i).at("shown"));
    }
    (0..study.problems.len()).try_for_each(|k| check_problems(study, k))
}

/// Checks that no benchmark occurs twice.
fn check_benchmarks(study: &PosteriorStudy) -> Result<(), FieldError> {
    let mut seen: BTreeSet<Benchmark> = BTreeSet::new();
    for (k, p) in study.problems.iter().enumerate() {
        for (i, b) in p.benchmarks.iter().enumerate() {
            if !seen.insert(*b) {
                let reason = format!("{b} is listed twice");
                return Err(FieldError::new(reason)
                    .at(i)
                    .at("benchmarks")
                    .at(k)
                    .at("problems"));
            }
        }
    }
    Ok(())
}

/// Checks that plans have distinct names and fits can be run.
fn check_problems(study: &PosteriorStudy, k: usize) -> Result<(), FieldError> {
    let problems = &study.problems[k];
    let here = |e: FieldError| e.at(k).at("problems");
    check_plans(&problems.plans).map_err(here)?;
    let experts = &problems.model.experts;
    check_experts(experts, &["mixture", "base"]).map_err(|e| here(e.at("experts").at("model")))?;
    for (b, base) in study.bases.iter().enumerate() {
        for (p, plan) in problems.plans.iter().enumerate() {
            let fit = base.fit(problems.benchmarks[0], plan, problems);
            if fit.check().is_ok() {
                continue;
            }
            let error = what_is_wrong(&fit);
            return Err(match error.path.first() {
                Some(Segment::Field("base")) => error.at(b).at("bases"),
                Some(Segment::Field("tails")) => here(error),
                Some(Segment::Field("draws")) => here(error.at(p).at("plans")),
                _ => here(error.at("model")),
            });
        }
    }
    Ok(())
}

fn check_plans(plans: &[Plan]) -> Result<(), FieldError> {
    let mut seen = BTreeSet::new();
    for (i, p) in plans.iter().enumerate() {
        let error = |reason: String| Err(FieldError::new(reason).at(i).at("plans"));
        if !p.name.is_empty() && !is_name(&p.name) {
            return error(format!(
                "\"{}\" is not a name of letters, digits, _ and -",
                p.name
            ));
        }
        if !seen.insert((p.name.as_str(), p.budget())) {
            return error("two have the same name and number of evaluations".into());
        }
    }
    Ok(())
}

/// Checks that flows have distinct names and can be fitted; paths begin at the list.
pub fn check_experts(
    experts: &[(String, FlowSettings)],
    reserved: &[&str],
) -> Result<(), FieldError> {
    let called: Vec<&str> = experts.iter().map(|e| e.0.as_str()).collect();
    names(&called, reserved).map_err(|(i, e)| e.at(0).at(i))?;
    for (i, (_, flow)) in experts.iter().enumerate() {
        let error = |field: &'static str, reason: String| {
            Err(FieldError::new(reason).at(field).at(1).at(i))
        };
        if let Err(reason) = flow.architecture.check() {
            return error("architecture", reason);
        }
        if let Err(reason) = flow.fit.check() {
            return error("fit", reason);
        }
        let alone = PosteriorConfig {
            experts: vec![("alone".into(), flow.clone())],
            ..PosteriorConfig::quick(1)
        };
        if let Err(reason) = alone.check() {
            return error("frame", reason);
        }
    }
    Ok(())
}

/// Finds the wrong field of a fit's settings: the first whose value alone makes valid settings
/// invalid. Experts are assumed valid.
fn what_is_wrong(fit: &PosteriorConfig) -> FieldError {
    let sound = || PosteriorConfig {
        base_as_expert: false,
        ..PosteriorConfig::quick(1)
    };
    let folds = PosteriorConfig {
        folds: fit.folds,
        models: 1,
        ..sound()
    };
    let parts: [(&'static str, PosteriorConfig); 9] = [
        (
            "draws",
            PosteriorConfig {
                draws: fit.draws,
                ..sound()
            },
        ),
        (
            "base",
            PosteriorConfig {
                base: fit.base,
                ..sound()
            },
        ),
        ("folds", folds.clone()),
        (
            "models",
            PosteriorConfig {
                models: fit.models,
                ..folds
            },
        ),
        (
            "points_for_each_effective",
            PosteriorConfig {
                points_for_each_effective: fit.points_for_each_effective,
                ..sound()
            },
        ),
        (
            "most_points",
            PosteriorConfig {
                most_points: fit.most_points,
                ..sound()
            },
        ),
        (
            "base_points",
            PosteriorConfig {
                base_points: fit.base_points,
                ..sound()
            },
        ),
        (
            "validation_points",
            PosteriorConfig {
                validation_points: fit.validation_points,
                ..sound()
            },
        ),
        (
            "rule",
            PosteriorConfig {
                rule: fit.rule,
                ..sound()
            },
        ),
    ];
    for (field, settings) in parts {
        if let Err(reason) = settings.check() {
            return match field {
                "base" => what_is_wrong_with_a_base(&fit.base, reason),
                _ => FieldError::new(reason).at(field),
            };
        }
    }
    // Each field is valid alone: without experts the base must be one.
    let reason = fit.check().err().unwrap_or_default();
    FieldError::new(reason).at("experts")
}

/// Tails belong to the problems, the other fields to the base.
fn what_is_wrong_with_a_base(base: &PosteriorBase, reason: String) -> FieldError {
    let PosteriorBase::Mixture {
        components,
        means,
        em,
        ..
    } = *base
    else {
        return FieldError::new(reason).at("base");
    };
    let check = |em: EmConfig| {
        let base = PosteriorBase::Mixture {
            components,
            means,
            tails: None,
            em,
        };
        PosteriorConfig {
            base,
            ..PosteriorConfig::quick(1)
        }
        .check()
    };
    if check(em).is_ok() {
        return FieldError::new(reason).at("tails");
    }
    let field = if check(EmConfig::default()).is_ok() {
        "em"
    } else {
        "components"
    };
    FieldError::new(reason).at(field).at("base")
}
