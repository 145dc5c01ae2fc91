//! How each kind of expert is written and read.

use super::{BaseDescription, Description, Marginals, NotSavable, Reader, Writer};
use crate::experts::{Expert, Tails, Warp, Warped};
use crate::posterior::Framed;
use crate::{Kde, Mixture};
use faer::prelude::*;
use flows::{
    Base, Flow, GaussianMixture, LARGEST, LayerSpec, MixtureParts, Standardise, TRIAL_DRAWS,
    try_out,
};
use numerics::random::stream;
use rbig::{LayerParts, MarginalParts, Parts, Rbig, SplineParts};

/// Reads an expert and tries it out.
pub(super) fn read_sound(
    d: &Description,
    reader: &mut Reader<'_>,
) -> Result<Box<dyn Expert>, String> {
    let expert = read(d, reader)?;
    must_work(&expert).map_err(|e| format!("\"{}\": {e}", reader.full_name("")))?;
    Ok(expert)
}

/// Whether an expert from a file works at draws of its own.
pub(crate) fn must_work(e: &dyn Expert) -> Result<(), String> {
    let draws = e.sample(TRIAL_DRAWS, &mut stream(0, "archive"));
    try_out(draws.as_ref(), |x| e.log_prob(x))
}

fn read(d: &Description, reader: &mut Reader<'_>) -> Result<Box<dyn Expert>, String> {
    let folder = reader.full_name("");
    // What reads a part does not know where the part is; what reads an array says its full name itself.
    let placed = |e: String| {
        if e.contains('"') {
            e
        } else {
            format!("\"{folder}\": {e}")
        }
    };
    let expert: Result<Box<dyn Expert>, String> = match d {
        Description::Flow { layers, base } => flow(layers, *base, reader).map(boxed),
        Description::Rbig { layers } => gaussianisation(layers, reader).map(boxed),
        Description::GaussianMixture {} => gaussian_mixture(reader).map(boxed),
        Description::Kde {} => kde(reader).map(boxed),
        Description::Mixture { experts } => read_mixture(experts, reader).map(boxed),
        Description::Framed { turned, density } => framed(*turned, density, reader).map(boxed),
        Description::Warped { density } => warped(density, reader).map(boxed),
    };
    expert.map_err(placed)
}

fn boxed<E: Expert + 'static>(e: E) -> Box<dyn Expert> {
    Box::new(e)
}

fn write_standardise(s: &Standardise, w: &mut Writer) {
    let (shift, scale) = s.parts();
    w.array("shift", &[shift.len()], shift);
    w.array("scale", &[scale.len()], scale);
}

fn standardise(reader: &Reader<'_>) -> Result<Standardise, String> {
    let (shift, scale) = (reader.vector("shift")?, reader.vector("scale")?);
    let columns = shift.len();
    Standardise::new(shift, scale)
        .filter(|s| s.dim() > 0 && s.parts().1.iter().all(|v| *v >= 1.0 / LARGEST))
        .ok_or_else(|| format!("scale needs {columns} positive numbers"))
}

/// Entries row by row.
fn rows(m: MatRef<'_, f64>) -> Vec<f64> {
    (0..m.nrows())
        .flat_map(|i| (0..m.ncols()).map(move |j| m[(i, j)]))
        .collect()
}

fn from_rows(columns: usize, values: &[f64]) -> Mat<f64> {
    MatRef::from_row_major_slice(values, values.len() / columns.max(1), columns).to_owned()
}

pub(crate) fn write_flow(flow: &Flow, w: &mut Writer) -> Description {
    write_standardise(flow.standardise(), w);
    for block in flow.param_blocks() {
        w.array(&block.name, &block.shape, &flow.params()[block.range]);
    }
    let base = match flow.base() {
        Base::StandardNormal => BaseDescription::StandardNormal,
        Base::GaussianMixture(m) => {
            w.within("base", |w| write_gaussian_mixture(m, w));
            BaseDescription::GaussianMixture
        }
        Base::TrainedGaussianMixture {
            start,
            train_weights,
        } => {
            w.within("base", |w| write_gaussian_mixture(start, w));
            BaseDescription::TrainedGaussianMixture {
                train_weights: *train_weights,
            }
        }
    };
    Description::Flow {
        layers: flow.specs().to_vec(),
        base,
    }
}

fn flow(
    layers: &[LayerSpec],
    base: BaseDescription,
    reader: &mut Reader<'_>,
) -> Result<Flow, String> {
    let standardise = standardise(reader)?;
    LayerSpec::check_size(layers, standardise.dim(), 0, reader.numbers())?;
    let mut mixture = || reader.within("base", |r| gaussian_mixture(r));
    let base = match base {
        BaseDescription::StandardNormal => Base::StandardNormal,
        BaseDescription::GaussianMixture => Base::GaussianMixture(mixture()?),
        BaseDescription::TrainedGaussianMixture { train_weights } => Base::TrainedGaussianMixture {
            start: mixture()?,
            train_weights,
        },
    };
    let mut flow =
        Flow::from_layers(standardise, layers.to_vec(), base).map_err(|e| e.to_string())?;
    for block in flow.param_blocks() {
        let values = reader.shaped(&block.name, &block.shape)?;
        flow.params_mut()[block.range].copy_from_slice(&values);
    }
    Ok(flow)
}

pub(crate) fn write_gaussian_mixture(m: &GaussianMixture, w: &mut Writer) -> Description {
    let (k, d) = (m.len(), m.dim());
    let parts = m.parts();
    w.array("weights", &[k], &parts.weights);
    w.array("means", &[k, d], &parts.means);
    w.array("factors", &[k, d, d], &parts.factors);
    Description::GaussianMixture {}
}

fn gaussian_mixture(reader: &Reader<'_>) -> Result<GaussianMixture, String> {
    let weights = reader.vector("weights")?;
    let (dim, means) = reader.matrix("means")?;
    let factors = reader.shaped("factors", &[weights.len(), dim, dim])?;
    let parts = MixtureParts {
        weights,
        means,
        factors,
    };
    GaussianMixture::from_parts(dim, &parts)
}

pub(crate) fn write_kde(kde: &Kde, w: &mut Writer) -> Description {
    let (points, weights, frame) = kde.parts();
    w.array("points", &[points.nrows(), points.ncols()], &rows(points));
    w.array("weights", &[weights.len()], weights);
    w.array("bandwidth", &[1], &[kde.bandwidth()]);
    w.within("frame", |w| write_gaussian_mixture(frame, w));
    Description::Kde {}
}

fn kde(reader: &mut Reader<'_>) -> Result<Kde, String> {
    let (dim, points) = reader.matrix("points")?;
    let weights = reader.vector("weights")?;
    let bandwidth = reader.shaped("bandwidth", &[1])?[0];
    let frame = reader.within("frame", |r| gaussian_mixture(r))?;
    Kde::from_parts(from_rows(dim, &points), weights, frame, bandwidth)
}

pub(crate) fn write_mixture(m: &Mixture, w: &mut Writer) -> Result<Description, NotSavable> {
    w.array("weights", &[m.weights().len()], m.weights());
    let experts = m.experts().into_iter().enumerate();
    let experts = experts.map(|(k, e)| w.expert(&k.to_string(), e));
    Ok(Description::Mixture {
        experts: experts.collect::<Result<_, _>>()?,
    })
}

pub(crate) fn read_mixture(
    experts: &[Description],
    reader: &mut Reader<'_>,
) -> Result<Mixture, String> {
    let weights = reader.shaped("weights", &[experts.len()])?;
    let experts = experts
        .iter()
        .enumerate()
        .map(|(k, e)| reader.within(&k.to_string(), |r| read(e, r)))
        .collect::<Result<Vec<_>, _>>()?;
    Mixture::with_weights(experts, weights)
}

pub(crate) fn write_framed<E: Expert>(
    framed: &Framed<E>,
    w: &mut Writer,
) -> Result<Description, NotSavable> {
    write_standardise(&framed.standardise, w);
    if let Some(r) = &framed.rotation {
        w.array("rotation", &[r.nrows(), r.ncols()], &rows(r.as_ref()));
    }
    Ok(Description::Framed {
        turned: framed.rotation.is_some(),
        density: Box::new(w.expert("density", &framed.density)?),
    })
}

fn framed(
    turned: bool,
    density: &Description,
    reader: &mut Reader<'_>,
) -> Result<Framed<Box<dyn Expert>>, String> {
    let standardise = standardise(reader)?;
    let dim = standardise.dim();
    let rotation = if turned {
        let (columns, values) = reader.matrix("rotation")?;
        let r = from_rows(columns, &values);
        let gap = |i: usize, j: usize| {
            let inner: f64 = (0..dim).map(|k| r[(i, k)] * r[(j, k)]).sum();
            (inner - if i == j { 1.0 } else { 0.0 }).abs()
        };
        if (r.nrows(), columns) != (dim, dim) || (0..dim).any(|i| (0..=i).any(|j| gap(i, j) > 1e-9))
        {
            return Err(format!("the rotation is not orthogonal in {dim} columns"));
        }
        Some(r)
    } else {
        None
    };
    let density = reader.within("density", |r| read(density, r))?;
    if density.dim() != dim {
        return Err(format!(
            "a density of {} columns in a frame of {dim}",
            density.dim()
        ));
    }
    Ok(Framed {
        standardise,
        rotation,
        density,
    })
}

pub(crate) fn write_warped(warped: &Warped, w: &mut Writer) -> Result<Description, NotSavable> {
    let all = |f: &dyn Fn(&Warp) -> f64| -> Vec<f64> {
        let each = warped.tails.0.iter().map(|t| t.as_ref().map_or(0.0, f));
        each.collect()
    };
    let (centres, scales) = (all(&|t| t.centre), all(&|t| t.scale));
    w.array("tail_centres", &[centres.len()], &centres);
    w.array("tail_scales", &[scales.len()], &scales);
    Ok(Description::Warped {
        density: Box::new(warped.density.write(w)?),
    })
}

fn warped(density: &Description, reader: &mut Reader<'_>) -> Result<Warped, String> {
    if matches!(density, Description::Warped { .. }) {
        return Err("columns that are warped twice".into());
    }
    let centres = reader.vector("tail_centres")?;
    let scales = reader.shaped("tail_scales", &[centres.len()])?;
    if !scales.iter().all(|s| *s >= 0.0 && s.is_finite()) || !centres.iter().all(|c| c.is_finite())
    {
        return Err("warped columns need finite centres and scales that are not negative".into());
    }
    let warp = |(&centre, &scale): (&f64, &f64)| (scale > 0.0).then_some(Warp { centre, scale });
    let tails = Tails(centres.iter().zip(&scales).map(warp).collect());
    let density = read(density, reader)?;
    if density.dim() != tails.0.len() {
        let (own, columns) = (density.dim(), tails.0.len());
        return Err(format!("a density of {own} columns behind {columns} warps"));
    }
    Ok(Warped { tails, density })
}

/// Numbers of one smooth marginal without its knots.
const SMOOTH: usize = 8;

pub(crate) fn write_rbig(model: &Rbig, w: &mut Writer) -> Description {
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
    Description::Rbig {
        layers: layers.collect(),
    }
}

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

fn gaussianisation(layers: &[Marginals], reader: &mut Reader<'_>) -> Result<Rbig, String> {
    let mean = reader.vector("shift")?;
    let d = mean.len();
    let deviation = reader.shaped("scale", &[d])?;
    if !deviation.iter().all(|v| *v >= 1.0 / LARGEST) {
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

/// Marginals whose widths can be divided by.
fn all_wide(marginals: Vec<MarginalParts>) -> Result<Vec<MarginalParts>, String> {
    let wide = |v: &f64| *v >= 1.0 / LARGEST;
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
    let (count, bins) = reader.matrix("bins")?;
    if count == 0 || Some(bins.len()) != d.checked_mul(count) {
        return Err("there must be as many rows of bins as columns, and no empty one".into());
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
    let (columns, knots) = reader.matrix("knots")?;
    let wrong = || String::from("the knots do not fit the marginals");
    if columns != 2 {
        return Err(wrong());
    }
    let mut left = &knots[..];
    let mut marginals = Vec::with_capacity(d);
    for m in numbers.chunks_exact(SMOOTH) {
        // A count that is no count becomes one that does not fit.
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
