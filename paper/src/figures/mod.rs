//! Every figure, from records.

mod canvas;
mod contour;
mod curves;
mod density;
mod gap;
mod palette;
mod samples;
mod weights;

use crate::record::{FigureData, Record};
use crate::summary::{by_protocol, groups};
use anyhow::Result;
use std::path::Path;

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
        let mut add = |kind: &str, title: String, caption: String| {
            let file = format!("{kind}_{protocol}.png");
            let path = folder.join(&file);
            figures.push(Figure {
                file,
                protocol: protocol.into(),
                title,
                caption,
            });
            path
        };
        let path = add(
            "gap",
            "NLL minus entropy".into(),
            "NLL minus the entropy of the target (nats, logarithmic axis): 0 would be the true density. Bars are standard errors over seeds.".into(),
        );
        gap::draw(&path, &groups)?;
        let path = add(
            "weights",
            "Mixture weights".into(),
            "Weights of the experts after stage 2, mean over seeds.".into(),
        );
        weights::draw(&path, &groups)?;
        let path = add(
            "curves",
            "Training curves".into(),
            "NLL along the fit for the first seed: solid on held-out points, faint on training points; dashed, RBIG at its last layer; \
             dotted, the entropy. Axes end 2 nats above the entropy."
                .into(),
        );
        curves::draw(&path, &groups)?;
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
                "Draws of the target, of the mixture and of each expert.".into(),
            );
            samples::draw(&path, record, data)?;
        }
    }
    Ok(figures)
}
