//! Arrays from a file, checked as they are taken.

use super::{Description, Kind};
use crate::Density;
use crate::trial::{self, must_work};
use faer::prelude::*;
use numerics::checked::one_line;
use safetensors::tensor::{Dtype, SafeTensors};

/// Gives the arrays of a file; names are relative to its current folder.
#[derive(Debug)]
pub struct Reader<'a> {
    folder: String,
    tensors: SafeTensors<'a>,
    numbers: usize,
    kinds: &'a [Kind],
}

impl<'a> Reader<'a> {
    /// Opens the bytes of a safetensors file: the text under the metadata key, and the arrays;
    /// `kinds` are the densities that it may hold.
    ///
    /// # Errors
    /// A message that says what is wrong.
    pub fn open(bytes: &'a [u8], key: &str, kinds: &'a [Kind]) -> Result<(String, Self), String> {
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| one_line(&format!("not a model file, or a truncated one ({e})")))?;
        let metadata = header.metadata().as_ref();
        let text = metadata
            .and_then(|m| m.get(key))
            .ok_or_else(|| format!("not a model file (no \"{key}\" in its metadata)"))?
            .clone();
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| one_line(&format!("damaged file ({e})")))?;
        let reader = Self {
            folder: String::new(),
            tensors,
            numbers: bytes.len() / 8,
            kinds,
        };
        Ok((text, reader))
    }

    /// An upper bound on the numbers in all arrays together.
    #[must_use]
    pub fn most_numbers(&self) -> usize {
        self.numbers
    }

    /// The name of an array or a folder, from the root.
    #[must_use]
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    /// Runs `f` with this folder as the current one.
    pub fn within<T>(&mut self, folder: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.folder.len();
        self.folder.push_str(folder);
        self.folder.push('/');
        let out = f(self);
        self.folder.truncate(before);
        out
    }

    /// An array of any numbers, with its shape.
    fn any(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
        let name = self.full_name(name);
        let t = self
            .tensors
            .tensor(&name)
            .map_err(|_| format!("no array \"{name}\""))?;
        if t.dtype() != Dtype::F64 {
            return Err(format!("array \"{name}\" is not of f64"));
        }
        let numbers = t.data().as_chunks::<8>().0.iter();
        let values = numbers.map(|b| f64::from_le_bytes(*b)).collect();
        Ok((t.shape().to_vec(), values))
    }

    /// An array of numbers that a model may have, with its shape.
    ///
    /// # Errors
    /// It is missing, of another type, or holds a number that is not finite or beyond
    /// [`trial::LARGEST`].
    pub fn array(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
        let (shape, values) = self.any(name)?;
        match values.iter().position(|v| !trial::in_range(*v)) {
            Some(i) => {
                let name = self.full_name(name);
                Err(format!("array \"{name}\" holds {:e} at {i}", values[i]))
            }
            None => Ok((shape, values)),
        }
    }

    /// A vector of any numbers, finite or not.
    ///
    /// # Errors
    /// It is missing, or not a vector of f64.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, String> {
        let (shape, values) = self.any(name)?;
        if shape.len() == 1 {
            return Ok(values);
        }
        let name = self.full_name(name);
        Err(format!("array \"{name}\" is not a vector"))
    }

    /// An array of a known shape.
    ///
    /// # Errors
    /// As for [`Self::array`]; also another shape.
    pub fn shaped(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, String> {
        let (own, values) = self.array(name)?;
        if own != shape {
            let name = self.full_name(name);
            return Err(format!(
                "array \"{name}\" has shape {own:?} where {shape:?} is needed"
            ));
        }
        Ok(values)
    }

    /// A vector.
    ///
    /// # Errors
    /// As for [`Self::array`]; also another number of axes.
    pub fn vector(&self, name: &str) -> Result<Vec<f64>, String> {
        let (shape, values) = self.array(name)?;
        if shape.len() != 1 {
            let name = self.full_name(name);
            return Err(format!("array \"{name}\" is not a vector"));
        }
        Ok(values)
    }

    /// A matrix, whose entries lie row by row in the file.
    ///
    /// # Errors
    /// As for [`Self::array`]; also another number of axes.
    pub fn matrix(&self, name: &str) -> Result<Mat<f64>, String> {
        let (shape, values) = self.array(name)?;
        match shape[..] {
            // Without numbers, a file can claim any size.
            _ if values.is_empty() => Err(format!("array \"{}\" is empty", self.full_name(name))),
            [rows, columns] => Ok(MatRef::from_row_major_slice(&values, rows, columns).to_owned()),
            _ => Err(format!(
                "array \"{}\" is not a matrix",
                self.full_name(name)
            )),
        }
    }

    /// Reads a density from the current folder.
    ///
    /// # Errors
    /// A message that names the array and says what is wrong with it.
    pub fn density(&mut self, d: &Description) -> Result<Box<dyn Density>, String> {
        let Some(kind) = self.kinds.iter().find(|k| k.name == d.kind) else {
            let known: Vec<&str> = self.kinds.iter().map(|k| k.name).collect();
            let known = known.join(", ");
            return Err(format!(
                "an unknown kind of density \"{}\" (known: {known})",
                d.kind
            ));
        };
        let folder = self.full_name("");
        // The reader of a nested density does not know its path, so it is added here; errors about
        // arrays already have the full name.
        (kind.read)(d, self).map_err(|e| {
            if e.contains('"') {
                e
            } else {
                format!("\"{folder}\": {e}")
            }
        })
    }

    /// [`Self::density`], tested on its own draws.
    ///
    /// # Errors
    /// A message that says what is wrong.
    pub fn sound_density(&mut self, d: &Description) -> Result<Box<dyn Density>, String> {
        let density = self.density(d)?;
        must_work(&density).map_err(|e| format!("\"{}\": {e}", self.full_name("")))?;
        Ok(density)
    }
}
