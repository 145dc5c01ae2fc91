//! Checks of a study across fields.

use super::super::posterior::check::check_experts;
use super::settings::{AmortisedStudy, Variant};
use crate::engine::config::{FieldError, distinct, fits, name_of_protocol, names, not_empty};
use datasets::posterior::SignDegenerate;
use density::EmConfig;
use metrics::Calibrate;
use posterior::{AmortisedConfig, AmortisedModel, PosteriorBase};

/// Checks that a study can be run.
pub fn check(study: &AmortisedStudy) -> Result<(), FieldError> {
    name_of_protocol(&study.protocol)?;
    not_empty([
        ("seeds", study.seeds.len()),
        ("variants", study.variants.len()),
    ])?;
    let experts = 1 + study.model.experts.len();
    fits(&[study.seeds.len(), study.variants.len(), experts])?;
    distinct("seeds", &study.seeds)?;
    let variants: Vec<&str> = study.variants.iter().map(|v| v.name.as_str()).collect();
    names(&variants, &[]).map_err(|(i, e)| e.at("name").at(i).at("variants"))?;
    let SignDegenerate { dim, sigma } = study.simulator;
    for (field, sound) in [
        ("dim", (1..=16).contains(&dim)),
        ("sigma", sigma > 0.0 && sigma.is_finite()),
    ] {
        if !sound {
            let reason = format!(
                "simulator must have a dim from 1 to 16 and a positive sigma, not {dim} and {sigma}"
            );
            return Err(FieldError::new(reason).at(field).at("simulator"));
        }
    }
    check_experts(&study.model.experts, &["mixture"]).map_err(|e| e.at("experts").at("model"))?;
    for (i, variant) in study.variants.iter().enumerate() {
        check_fit(study, i, variant)?;
    }
    check_calibration(&study.calibration.settings).map_err(|e| e.at("settings").at("calibration"))
}

/// Checks that a variant can be fitted; the experts are assumed valid.
fn check_fit(study: &AmortisedStudy, i: usize, variant: &Variant) -> Result<(), FieldError> {
    let fit = study.fit(variant);
    let Err(reason) = fit.check() else {
        return Ok(());
    };
    let sound = |change: &dyn Fn(&mut AmortisedConfig)| {
        let mut fit = fit.clone();
        change(&mut fit);
        fit.check().is_ok()
    };
    let error = FieldError::new(reason);
    let flows = AmortisedModel::Flow(PosteriorBase::StandardNormal);
    Err(if sound(&|fit| fit.model = flows) {
        let em = sound(&|fit| match &mut fit.model {
            AmortisedModel::Flow(PosteriorBase::Mixture { em, .. })
            | AmortisedModel::Flows { em, .. } => {
                *em = EmConfig::default();
            }
            AmortisedModel::Flow(PosteriorBase::StandardNormal) => {}
        });
        let field = if em { "em" } else { "components" };
        error.at(field).at("model").at(i).at("variants")
    } else if study.model.experts.is_empty() {
        error.at("experts").at("model")
    } else if sound(&|fit| fit.neighbours = 1) {
        error.at("neighbours").at("model")
    } else if sound(&|fit| fit.validation = 0.5) {
        error.at("validation").at("model")
    } else {
        error.at("rule").at("model")
    })
}

fn check_calibration(settings: &Calibrate) -> Result<(), FieldError> {
    let Err(reason) = settings.check() else {
        return Ok(());
    };
    let without_regions = Calibrate {
        regions: Vec::new(),
        ..settings.clone()
    };
    let field = if without_regions.check().is_ok() {
        "regions"
    } else {
        "bins"
    };
    Err(FieldError::new(reason).at(field))
}
