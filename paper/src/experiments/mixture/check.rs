//! Checks of a study across fields.

use super::settings::{Draws, MixtureStudy, WeightSource};
use crate::engine::config::{FieldError, distinct, fits, name_of_protocol, names, not_empty};
use amf::{ExpertConfig, NamedExpert};

/// Names that tables use for other models.
const RESERVED: [&str; 2] = ["mixture", "target"];

/// Checks that a study can be run.
pub fn check(study: &MixtureStudy) -> Result<(), FieldError> {
    name_of_protocol(&study.protocol)?;
    not_empty([
        ("targets", study.targets.len()),
        ("seeds", study.seeds.len()),
        ("experts", study.experts.len()),
    ])?;
    let models = study.experts.len() + study.baselines.len() + study.ablations.len();
    let sizes = 1 + study.other_sizes.len();
    fits(&[study.targets.len(), study.seeds.len(), sizes, models])?;
    distinct("targets", &study.targets)?;
    distinct("seeds", &study.seeds)?;
    check_names(study)?;
    check_experts("experts", &study.experts)?;
    check_experts("baselines", &study.baselines)?;
    let single_split = study.cross_fit.is_none();
    for e in &study.experts {
        if single_split && study.draws.validation == 0 && e.kind.needs_validation() {
            let reason = format!(
                "expert \"{}\" stops on a validation set: draws.validation must be above 0",
                e.name
            );
            return Err(FieldError::new(reason).at("validation").at("draws"));
        }
    }
    check_cross_fit(study)?;
    study
        .weights
        .rule
        .check()
        .map_err(|e| FieldError::new(e).at("rule").at("weights"))?;
    if study.weights.source == WeightSource::HeldOut && study.draws.weights == 0 {
        let reason = "weights from held-out points need draws.weights above 0";
        return Err(FieldError::new(reason).at("weights").at("draws"));
    }
    if study.evaluation.samples > study.draws.test {
        let reason = "evaluation.samples must not be above draws.test";
        return Err(FieldError::new(reason).at("samples").at("evaluation"));
    }
    Ok(())
}

/// Checks that experts, baselines and ablations have distinct names.
fn check_names(study: &MixtureStudy) -> Result<(), FieldError> {
    let lists = [("experts", &study.experts), ("baselines", &study.baselines)];
    let experts = lists.iter().flat_map(|(field, list)| {
        let named = list.iter().enumerate();
        named.map(move |(i, e)| (*field, i, e.name.as_str()))
    });
    let ablations = study.ablations.iter().enumerate();
    let ablations = ablations.map(|(i, a)| ("ablations", i, a.name.as_str()));
    let all: Vec<(&str, usize, &str)> = experts.chain(ablations).collect();
    let found: Vec<&str> = all.iter().map(|a| a.2).collect();
    names(&found, &RESERVED).map_err(|(k, e)| e.at("name").at(all[k].1).at(all[k].0))
}

fn check_experts(field: &'static str, experts: &[NamedExpert]) -> Result<(), FieldError> {
    for (i, e) in experts.iter().enumerate() {
        check_kind(&e.kind).map_err(|error| error.at("kind").at(i).at(field))?;
    }
    Ok(())
}

/// Field by field, to name the one that is wrong.
fn check_kind(kind: &ExpertConfig) -> Result<(), FieldError> {
    let field = |name: &'static str| move |reason: String| FieldError::new(reason).at(name);
    match kind {
        ExpertConfig::Flow(flow) => {
            flow.architecture.check().map_err(field("architecture"))?;
            flow.fit.check().map_err(field("fit"))?;
            kind.check().map_err(field("base"))
        }
        ExpertConfig::Rbig(config) => {
            let marginal = config.model.marginal.check();
            let whole = config.model.check();
            let part = if marginal.is_err() {
                "marginal"
            } else {
                "layers"
            };
            let error = |e: rbig::Error| match e {
                rbig::Error::BadSetting {
                    field: "candidates",
                    ..
                } => FieldError::new(e.to_string())
                    .at("candidates")
                    .at("rotation"),
                rbig::Error::BadSetting { field, .. } => {
                    FieldError::new(e.to_string()).at(field).at(part)
                }
                e => FieldError::new(e.to_string()),
            };
            marginal.and(whole).map_err(|e| error(e).at("model"))
        }
        _ => kind.check().map_err(FieldError::new),
    }
}

/// Checks of settings that only cross-fitting has.
fn check_cross_fit(study: &MixtureStudy) -> Result<(), FieldError> {
    let source = |reason: &str| Err(FieldError::new(reason).at("source").at("weights"));
    let Some(folds) = &study.cross_fit else {
        if !study.ablations.is_empty() {
            return Err(FieldError::new("ablations need cross_fit").at("ablations"));
        }
        if study.weights.source == WeightSource::OutOfFold {
            return source("source OutOfFold needs cross_fit");
        }
        return Ok(());
    };
    folds
        .check()
        .map_err(|e| FieldError::new(e).at("cross_fit"))?;
    if study.weights.source != WeightSource::OutOfFold {
        return source("source must be OutOfFold with cross_fit");
    }
    let Draws {
        validation,
        weights,
        monitor,
        ..
    } = study.draws;
    if [validation, weights, monitor] != [0; 3] {
        let reason = "cross_fit takes validation and weights out of draws.train: set no others";
        return Err(FieldError::new(reason).at("draws"));
    }
    let mut baselines = study.baselines.iter();
    if let Some(i) = baselines.position(|e| e.kind.needs_validation()) {
        let name = &study.baselines[i].name;
        let reason = format!("baseline \"{name}\" must not need a validation set");
        return Err(FieldError::new(reason).at(i).at("baselines"));
    }
    let experts: Vec<&str> = study.experts.iter().map(|e| e.name.as_str()).collect();
    for (i, a) in study.ablations.iter().enumerate() {
        let error = |e: FieldError| e.at("what").at(i).at("ablations");
        a.what.check(&experts).map_err(error)?;
    }
    Ok(())
}
