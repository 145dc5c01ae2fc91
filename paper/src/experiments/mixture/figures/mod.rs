//! Every figure, from records.

mod ablations;
mod curves;
mod density;
mod gap;
mod samples;
mod sizes;
mod weights;

use super::arms::{Group, main_size};
use super::record::{MixtureFigure, MixtureRecord};
use crate::engine::figure::Figures;
use anyhow::Result;

/// Figures that a protocol can ask for.
pub const NAMES: &[&str] = &[
    "gap",
    "divergence",
    "sizes",
    "weights",
    "curves",
    "ablations",
    "densities",
];

/// Draws the figures of this name, if the records have their data.
///
/// # Errors
/// The first figure that cannot be drawn or written.
pub fn draw(
    name: &str,
    groups: &[Group<'_>],
    drawn: &[(&MixtureRecord, &MixtureFigure)],
    figures: &mut Figures<'_>,
) -> Result<()> {
    let compared = groups[0].baselines().next().is_some();
    match name {
        "gap" => draw_gap(groups, figures),
        "divergence" if compared => draw_divergence(&main_size(groups), figures),
        "sizes" if compared => draw_sizes(groups, figures),
        "weights" => draw_weights(groups, figures),
        "curves" => draw_curves(groups, figures),
        "ablations" if !groups[0].run().ablations.is_empty() => {
            draw_ablations(&main_size(groups), figures)
        }
        "densities" => draw_densities(drawn, figures),
        _ => Ok(()),
    }
}

/// The figures of a protocol that names none.
#[must_use]
pub fn usual(groups: &[Group<'_>]) -> &'static [&'static str] {
    match (groups[0].is_cross_fitted(), groups[0].is_variant()) {
        (false, _) => &["gap", "weights", "curves", "densities"],
        (true, false) => &["divergence", "sizes", "weights", "ablations", "densities"],
        (true, true) => &["ablations"],
    }
}

fn draw_gap(groups: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let path = figures.add(
        "gap",
        "NLL minus entropy",
        "NLL minus the entropy of the target (nats, logarithmic axis): 0 would be the true density. Bars are standard errors over seeds.",
    );
    let models = groups[0].models();
    gap::draw(&path, groups, &models, "NLL − entropy (nats)", &|g, m| {
        g.gap(m)
    })
}

fn draw_divergence(main: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let path = figures.add(
        "gap",
        "KL from the target",
        format!(
            "KL(target || model) at n = {} (nats, logarithmic axis): the mixture, the flows among its experts, and the baselines. \
             Bars are standard errors over seeds.",
            main[0].n
        ),
    );
    let mut models = vec!["mixture", "maf", "realnvp", "rbig"];
    models.extend(main[0].baselines());
    let label = "KL(target || model) (nats)";
    gap::draw(&path, main, &models, label, &|g, m| g.mean(m, "kl"))
}

fn draw_sizes(groups: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let path = figures.add(
        "sizes",
        "KL against the number of draws",
        "KL(target || model) against the draws that a fit gets, both axes logarithmic. Bars are standard errors over seeds.",
    );
    let mut models = vec!["mixture"];
    models.extend(groups[0].baselines());
    sizes::draw(&path, groups, &models)
}

fn draw_weights(groups: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let title = "Mixture weights";
    if groups[0].is_cross_fitted() {
        let main = main_size(groups);
        let caption = format!(
            "Weights of the experts at n = {}, mean over seeds.",
            main[0].n
        );
        weights::draw(&figures.add("weights", title, caption), &main)
    } else {
        let caption = "Weights of the experts after stage 2, mean over seeds.";
        weights::draw(&figures.add("weights", title, caption), groups)
    }
}

fn draw_curves(groups: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let path = figures.add(
        "curves",
        "Training curves",
        "NLL along the fit for the first seed: solid on held-out points, faint on training points; dashed, RBIG at its last layer; \
         dotted, the entropy. Axes end 2 nats above the entropy.",
    );
    curves::draw(&path, groups)
}

fn draw_ablations(main: &[Group<'_>], figures: &mut Figures<'_>) -> Result<()> {
    let path = figures.add(
        "ablations",
        "What each ingredient contributes",
        format!(
            "Mean KL over the families at n = {} after each change; the line is the full recipe.",
            main[0].n
        ),
    );
    ablations::draw(&path, main)
}

fn draw_densities(
    drawn: &[(&MixtureRecord, &MixtureFigure)],
    figures: &mut Figures<'_>,
) -> Result<()> {
    for (record, data) in drawn {
        let family = record.run.target;
        let path = figures.add(
            &format!("density_{family}"),
            format!("{}: density", family.title()),
            "The exact density and the mixture's, on one colour scale; contours at 5, 20, 50 and 80 % of the exact maximum.",
        );
        density::draw(&path, record, data)?;
        let path = figures.add(
            &format!("samples_{family}"),
            format!("{}: draws", family.title()),
            "Draws of the target and of the models.",
        );
        samples::draw(&path, record, data)?;
    }
    Ok(())
}
