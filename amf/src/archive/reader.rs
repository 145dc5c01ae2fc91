//! Arrays from a file, checked as they are taken.

use numerics::checked::one_line;
use safetensors::tensor::{Dtype, SafeTensors};

/// Gives the arrays of a file; names are relative to the folder that it stands in.
#[derive(Debug)]
pub struct Reader<'a> {
    folder: String,
    tensors: SafeTensors<'a>,
    numbers: usize,
}

impl<'a> Reader<'a> {
    /// Opens the bytes of a safetensors file: the text under the metadata key, and the arrays.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn open(bytes: &'a [u8], key: &str) -> Result<(String, Self), String> {
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
        };
        Ok((text, reader))
    }

    /// No fewer numbers than all arrays hold together.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.numbers
    }

    /// The name of an array or a folder, from the root.
    #[must_use]
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    /// Goes into a folder for as long as `f` takes.
    pub fn within<T>(&mut self, folder: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.folder.len();
        self.folder.push_str(folder);
        self.folder.push('/');
        let out = f(self);
        self.folder.truncate(before);
        out
    }

    /// An array of numbers that a model can have, with its shape.
    ///
    /// # Errors
    /// It is missing, of another type, or holds a number that is not finite or beyond [`flows::LARGEST`].
    pub fn array(&self, name: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
        let name = self.full_name(name);
        let t = self
            .tensors
            .tensor(&name)
            .map_err(|_| format!("no array \"{name}\""))?;
        if t.dtype() != Dtype::F64 {
            return Err(format!("array \"{name}\" is not of f64"));
        }
        let values: Vec<f64> = t
            .data()
            .as_chunks::<8>()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect();
        match values.iter().position(|v| !flows::in_range(*v)) {
            Some(i) => Err(format!("array \"{name}\" holds {:e} at {i}", values[i])),
            None => Ok((t.shape().to_vec(), values)),
        }
    }

    /// An array of a known shape.
    ///
    /// # Errors
    /// As of [`Self::array`], or another shape.
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
    /// As of [`Self::array`], or another number of axes.
    pub fn vector(&self, name: &str) -> Result<Vec<f64>, String> {
        let (shape, values) = self.array(name)?;
        if shape.len() != 1 {
            let name = self.full_name(name);
            return Err(format!("array \"{name}\" is not a vector"));
        }
        Ok(values)
    }

    /// An array of two axes: its columns, and the entries row by row.
    ///
    /// # Errors
    /// As of [`Self::array`], or another number of axes.
    pub fn matrix(&self, name: &str) -> Result<(usize, Vec<f64>), String> {
        let (shape, values) = self.array(name)?;
        match shape[..] {
            [_, columns] => Ok((columns, values)),
            _ => Err(format!(
                "array \"{}\" is not a matrix",
                self.full_name(name)
            )),
        }
    }
}
