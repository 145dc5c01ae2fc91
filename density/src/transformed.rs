//! A density behind a bijection.

use crate::archive::{Description, NotSavable, Reader, Writer};
use crate::bijection::{Affine, Arcsinh, ArcsinhColumn, Bijection, Rotation, Support};
use crate::{Density, trial};
use faer::prelude::*;
use numerics::random::Pcg64;
use serde::{Deserialize, Serialize};

/// `q(x) = p(u(x)) |det du/dx|` for a bijection u and a density p of its coordinates; exactly zero
/// outside of the support of a bounded column.
#[derive(Debug, Clone)]
pub struct Transformed<D = Box<dyn Density>> {
    /// From data to coordinates.
    pub bijection: Bijection,
    /// The density of the coordinates.
    pub density: D,
}

/// Adds log-determinants to log-densities of the coordinates. Where the log-determinant is minus
/// infinity (outside of the support), so is the result.
pub fn add_log_det(log_q: &mut [f64], log_det: &[f64]) {
    for (l, j) in log_q.iter_mut().zip(log_det) {
        *l = if *j == f64::NEG_INFINITY { *j } else { *l + j };
    }
}

impl<D: Density> Density for Transformed<D> {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    fn log_prob(&self, x: MatRef<'_, f64>) -> Vec<f64> {
        let (u, log_det) = self.bijection.transform_and_log_det(x);
        let mut out = self.density.log_prob(u.as_ref());
        add_log_det(&mut out, &log_det);
        out
    }

    fn sample(&self, n: usize, rng: &mut Pcg64) -> Mat<f64> {
        self.bijection.inverse(self.density.sample(n, rng))
    }

    fn describe(&self, writer: &mut Writer) -> Result<Description, NotSavable> {
        let settings = Settings {
            bijection: write_bijection(&self.bijection, writer),
            density: writer.density("density", &self.density)?,
        };
        Ok(Description::new(KIND, &settings))
    }
}

/// The kind's name in files.
pub(crate) const KIND: &str = "transformed";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    bijection: Map,
    density: Description,
}

/// A bijection in a file; its numbers are arrays in the same folder.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Map {
    /// `shift` and `scale` (d).
    Affine,
    /// `rotation` (d x d).
    Rotation,
    /// `centres` and `scales` (d; a scale of 0 where a column is unchanged).
    Arcsinh,
    /// One support for each column.
    Supports(Vec<Support>),
    /// The n-th in the folder `map/n`.
    Chain(Vec<Map>),
}

fn write_bijection(bijection: &Bijection, w: &mut Writer) -> Map {
    match bijection {
        Bijection::Affine(a) => {
            a.write(w, "shift", "scale");
            Map::Affine
        }
        Bijection::Rotation(r) => {
            w.matrix("rotation", r.matrix());
            Map::Rotation
        }
        Bijection::Arcsinh(a) => {
            let all = |f: &dyn Fn(&ArcsinhColumn) -> f64| -> Vec<f64> {
                let each = a.columns.iter().map(|c| c.as_ref().map_or(0.0, f));
                each.collect()
            };
            w.vector("centres", &all(&|c| c.centre));
            w.vector("scales", &all(&|c| c.scale));
            Map::Arcsinh
        }
        Bijection::Supports(s) => Map::Supports(s.clone()),
        Bijection::Chain(all) => {
            let each = all.iter().enumerate();
            let each = each.map(|(k, b)| w.within(&format!("map/{k}"), |w| write_bijection(b, w)));
            Map::Chain(each.collect())
        }
    }
}

fn read_bijection(map: Map, r: &mut Reader<'_>) -> Result<Bijection, String> {
    Ok(match map {
        Map::Affine => Bijection::Affine(Affine::read(r, "shift", "scale")?),
        Map::Rotation => Bijection::Rotation(Rotation::new(r.matrix("rotation")?)?),
        Map::Arcsinh => {
            let centres = r.vector("centres")?;
            let scales = r.shaped("scales", &[centres.len()])?;
            if !scales
                .iter()
                .all(|s| *s == 0.0 || *s >= trial::SMALLEST_SCALE)
            {
                return Err("scales of an arcsinh must be 0 or positive".into());
            }
            let column = |(&centre, &scale): (&f64, &f64)| {
                (scale > 0.0).then_some(ArcsinhColumn { centre, scale })
            };
            let columns = centres.iter().zip(&scales).map(column).collect();
            Bijection::Arcsinh(Arcsinh { columns })
        }
        Map::Supports(supports) => {
            for (j, s) in supports.iter().enumerate() {
                s.check().map_err(|e| format!("column {j}: {e}"))?;
            }
            Bijection::Supports(supports)
        }
        Map::Chain(maps) => {
            let mut all = Vec::with_capacity(maps.len());
            for (k, map) in maps.into_iter().enumerate() {
                all.push(r.within(&format!("map/{k}"), |r| read_bijection(map, r))?);
            }
            if all.is_empty() || all.iter().any(|b| b.dim() != all[0].dim()) {
                return Err("a chain needs bijections of one number of columns".into());
            }
            Bijection::Chain(all)
        }
    })
}

impl<D: Density> Transformed<D> {
    /// Reads a bijection, and by `read` the density behind it.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(
        description: &Description,
        r: &mut Reader<'_>,
        read: impl FnOnce(&Description, &mut Reader<'_>) -> Result<D, String>,
    ) -> Result<Self, String> {
        let settings: Settings = description.settings(KIND)?;
        let bijection = read_bijection(settings.bijection, r)?;
        let density = r.within("density", |r| read(&settings.density, r))?;
        let (own, columns) = (density.dim(), bijection.dim());
        if own != columns {
            return Err(format!(
                "a density of {own} columns behind a bijection of {columns}"
            ));
        }
        Ok(Self { bijection, density })
    }
}
