//! Every figure, from records.

mod ablations;
pub(crate) mod canvas;
mod curves;
mod density;
mod gap;
mod samples;
mod sizes;
mod weights;

pub(crate) use plots::{contour, palette};

use crate::record::{FigureData, Record};
use crate::summary::{Group, by_protocol, groups, main_size};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A figure that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// File name in the folder of figures.
    pub file: String,
    /// Name of the protocol.
    pub protocol: String,
    /// Heading.
    pub title: String,
    /// What it shows.
    pub caption: String,
}

/// Draws everything that the records allow.
///
/// # Errors
/// The first figure that cannot be drawn or written.
pub fn write_all(
    folder: &Path,
    records: &[Record],
    drawn: &[(&Record, FigureData)],
) -> Result<Vec<Figure>> {
    std::fs::create_dir_all(folder)?;
    let groups = groups(records);
    let mut figures = Vec::new();
    for (protocol, groups) in by_protocol(&groups) {
        let mut add = adder(folder, "", protocol, &mut figures);
        if groups[0].is_cross_fitted() {
            cross_fitted(&groups, &mut add)?;
        } else {
            single_split(&groups, &mut add)?;
        }
        if groups[0].is_variant() {
            continue;
        }
        for (record, data) in drawn.iter().filter(|(r, _)| r.run.protocol == protocol) {
            let family = record.run.target;
            let path = add(
                &format!("density_{family}"),
                format!("{}: density", family.title()),
                "The exact density and the mixture's, on one colour scale; contours at 5, 20, 50 and 80 % of the exact maximum.".into(),
            );
            density::draw(&path, record, data)?;
            let path = add(
                &format!("samples_{family}"),
                format!("{}: draws", family.title()),
                "Draws of the target and of the models.".into(),
            );
            samples::draw(&path, record, data)?;
        }
    }
    Ok(figures)
}

/// Gives the path for a kind of figure, title and caption.
type Add<'a> = &'a mut dyn FnMut(&str, String, String) -> PathBuf;

/// An [`Add`] for the figures of a protocol.
pub(crate) fn adder(
    folder: &Path,
    prefix: &str,
    protocol: &str,
    figures: &mut Vec<Figure>,
) -> impl FnMut(&str, String, String) -> PathBuf {
    move |kind, title, caption| {
        let file = format!("{prefix}{kind}_{protocol}.png");
        let path = folder.join(&file);
        figures.push(Figure {
            file,
            protocol: protocol.into(),
            title,
            caption,
        });
        path
    }
}

fn single_split(groups: &[Group<'_>], add: Add<'_>) -> Result<()> {
    let path = add(
        "gap",
        "NLL minus entropy".into(),
        "NLL minus the entropy of the target (nats, logarithmic axis): 0 would be the true density. Bars are standard errors over seeds.".into(),
    );
    let models = groups[0].models();
    gap::draw(&path, groups, &models, "NLL − entropy (nats)", &|g, m| {
        g.gap(m)
    })?;
    let path = add(
        "weights",
        "Mixture weights".into(),
        "Weights of the experts after stage 2, mean over seeds.".into(),
    );
    weights::draw(&path, groups)?;
    let path = add(
        "curves",
        "Training curves".into(),
        "NLL along the fit for the first seed: solid on held-out points, faint on training points; dashed, RBIG at its last layer; \
         dotted, the entropy. Axes end 2 nats above the entropy."
            .into(),
    );
    curves::draw(&path, groups)?;
    Ok(())
}

fn cross_fitted(groups: &[Group<'_>], add: Add<'_>) -> Result<()> {
    let main = main_size(groups);
    if groups[0].baselines().next().is_some() {
        let path = add(
            "gap",
            "KL from the target".into(),
            format!(
                "KL(target || model) at n = {} (nats, logarithmic axis): the mixture, the flows among its experts, and the baselines. Bars are standard errors \
                 over seeds.",
                main[0].n
            ),
        );
        let mut models = vec!["mixture", "maf", "realnvp", "rbig"];
        models.extend(groups[0].baselines());
        gap::draw(
            &path,
            &main,
            &models,
            "KL(target || model) (nats)",
            &|g, m| g.mean(m, "kl"),
        )?;
        let path = add(
            "sizes",
            "KL against the number of draws".into(),
            "KL(target || model) against the draws that a fit gets, both axes logarithmic. Bars are standard errors over seeds.".into(),
        );
        let mut models = vec!["mixture"];
        models.extend(groups[0].baselines());
        sizes::draw(&path, groups, &models)?;
        let path = add(
            "weights",
            "Mixture weights".into(),
            format!(
                "Weights of the experts at n = {}, mean over seeds.",
                main[0].n
            ),
        );
        weights::draw(&path, &main)?;
    }
    if !groups[0].records[0].run.ablations.is_empty() {
        let path = add(
            "ablations",
            "What each ingredient contributes".into(),
            format!(
                "Mean KL over the families at n = {} after each change; the line is the full recipe.",
                main[0].n
            ),
        );
        ablations::draw(&path, &main)?;
    }
    Ok(())
}
