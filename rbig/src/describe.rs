//! Gaussianisations in files, see [`density::archive`].

use crate::model::Rbig;
use crate::parts::{LayerParts, MarginalParts, Parts, SplineParts};
use density::archive::Kind;
use density::trial::SMALLEST_SCALE;
use density::{Description, Reader, Writer};
use serde::{Deserialize, Serialize};

/// Reads a Gaussianisation from an archive.
pub const KIND: Kind = Kind {
    name: NAME,
    read: |d, r| Ok(Box::new(read(d, r)?)),
};

const NAME: &str = "rbig";

/// A Gaussianisation in a file: `shift` and `scale` (d); for each layer `rotation` (d x d) and the
/// numbers of the marginals.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The marginals of each layer, from the data on.
    layers: Vec<Marginals>,
}

/// The marginals of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Marginals {
    /// `bins` (d x bins, their probabilities) and `edges` (d x 4: low, width, clamp, tail slope).
    Histogram,
    /// `marginals` (d x 8: centre and scale of the arcsinh transform (scale 0 for none), centre,
    /// scale, bandwidth, first knot, step, number of knots) and `knots` (the knots of all columns
    /// in order, x 2: value, slope).
    Smooth,
}

/// Writes all numbers of a model, and describes how to read them.
pub(crate) fn write(model: &Rbig, w: &mut Writer) -> Description {
    let parts = model.parts();
    let d = parts.mean.len();
    w.array("shift", &[d], &parts.mean);
    w.array("scale", &[d], &parts.deviation);
    let layers = parts.layers.iter().enumerate();
    let layers = layers.map(|(l, layer)| {
        w.within(&format!("layer/{l}"), |w| {
            w.array("rotation", &[d, d], &layer.rotation);
            write_marginals(&layer.marginals, w)
        })
    });
    let settings = Settings {
        layers: layers.collect(),
    };
    Description::new(NAME, &settings)
}

fn read(description: &Description, reader: &mut Reader<'_>) -> Result<Rbig, String> {
    let Settings { layers } = description.settings(NAME)?;
    let mean = reader.vector("shift")?;
    let d = mean.len();
    let deviation = reader.shaped("scale", &[d])?;
    if !deviation.iter().all(|v| *v >= SMALLEST_SCALE) {
        return Err(format!("scale needs {d} positive numbers"));
    }
    let mut parts = Vec::new();
    for (l, kind) in layers.iter().enumerate() {
        parts.push(reader.within(&format!("layer/{l}"), |r| {
            Ok::<_, String>(LayerParts {
                rotation: r.shaped("rotation", &[d, d])?,
                marginals: all_wide(match kind {
                    Marginals::Histogram => histograms(d, r)?,
                    Marginals::Smooth => smooth_marginals(d, r)?,
                })?,
            })
        })?);
    }
    Rbig::from_parts(Parts {
        mean,
        deviation,
        layers: parts,
    })
}

/// Numbers of one smooth marginal without its knots.
const SMOOTH: usize = 8;

fn write_marginals(marginals: &[MarginalParts], w: &mut Writer) -> Marginals {
    let d = marginals.len();
    let (mut edges, mut bins) = (Vec::new(), Vec::new());
    let (mut numbers, mut knots) = (Vec::new(), Vec::new());
    for m in marginals {
        match m {
            MarginalParts::Histogram {
                low,
                width,
                clamp,
                tail_slope,
                mass,
            } => {
                edges.extend([*low, *width, *clamp, *tail_slope]);
                bins.extend(mass);
            }
            MarginalParts::Smooth {
                warp,
                centre,
                scale,
                bandwidth,
                spline,
            } => {
                let (warp_centre, warp_scale) = warp.unwrap_or((0.0, 0.0));
                numbers.extend([warp_centre, warp_scale, *centre, *scale, *bandwidth]);
                match spline {
                    None => numbers.extend([0.0, 0.0, 0.0]),
                    Some(s) => {
                        numbers.extend([s.first, s.step, s.values.len() as f64]);
                        for (value, slope) in s.values.iter().zip(&s.slopes) {
                            knots.extend([*value, *slope]);
                        }
                    }
                }
            }
        }
    }
    // All marginals of a model are of one kind.
    if edges.is_empty() {
        w.array("marginals", &[d, SMOOTH], &numbers);
        w.array("knots", &[knots.len() / 2, 2], &knots);
        Marginals::Smooth
    } else {
        w.array("edges", &[d, 4], &edges);
        w.array("bins", &[d, bins.len() / d], &bins);
        Marginals::Histogram
    }
}

/// Marginals whose widths can be divided by.
fn all_wide(marginals: Vec<MarginalParts>) -> Result<Vec<MarginalParts>, String> {
    let wide = |v: &f64| *v >= SMALLEST_SCALE;
    let sound = marginals.iter().all(|m| match m {
        MarginalParts::Histogram {
            width, tail_slope, ..
        } => [*width, *tail_slope].iter().all(wide),
        MarginalParts::Smooth {
            warp,
            scale,
            bandwidth,
            spline,
            ..
        } => {
            let warp = warp.map_or(1.0, |w| w.1);
            let step = spline.as_ref().map_or(1.0, |s| s.step);
            [*scale, *bandwidth, warp, step].iter().all(wide)
        }
    });
    if sound {
        Ok(marginals)
    } else {
        Err("a marginal has a width that cannot be divided by".into())
    }
}

fn histograms(d: usize, reader: &Reader<'_>) -> Result<Vec<MarginalParts>, String> {
    let edges = reader.shaped("edges", &[d, 4])?;
    let (shape, bins) = reader.array("bins")?;
    let [rows, count] = shape[..] else {
        return Err("bins must be a matrix".into());
    };
    if count == 0 || rows != d {
        return Err("bins needs one row of at least one bin for each column".into());
    }
    let each = edges.chunks_exact(4).zip(bins.chunks_exact(count));
    Ok(each
        .map(|(e, mass)| MarginalParts::Histogram {
            low: e[0],
            width: e[1],
            clamp: e[2],
            tail_slope: e[3],
            mass: mass.to_vec(),
        })
        .collect())
}

fn smooth_marginals(d: usize, reader: &Reader<'_>) -> Result<Vec<MarginalParts>, String> {
    let numbers = reader.shaped("marginals", &[d, SMOOTH])?;
    let (shape, knots) = reader.array("knots")?;
    let wrong = || String::from("the knots do not fit the marginals");
    if shape.len() != 2 || shape[1] != 2 {
        return Err(wrong());
    }
    let mut left = &knots[..];
    let mut marginals = Vec::with_capacity(d);
    for m in numbers.chunks_exact(SMOOTH) {
        // Fractions and negative numbers differ from their cast.
        let count = m[7] as usize;
        if count as f64 != m[7] || count > left.len() / 2 {
            return Err(wrong());
        }
        let (own, rest) = left.split_at(2 * count);
        left = rest;
        let of = |place: usize| own.iter().skip(place).step_by(2).copied().collect();
        marginals.push(MarginalParts::Smooth {
            warp: (m[1] != 0.0).then_some((m[0], m[1])),
            centre: m[2],
            scale: m[3],
            bandwidth: m[4],
            spline: (count > 0).then(|| SplineParts {
                first: m[5],
                step: m[6],
                values: of(0),
                slopes: of(1),
            }),
        });
    }
    if left.is_empty() {
        Ok(marginals)
    } else {
        Err(wrong())
    }
}
