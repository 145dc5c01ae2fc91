//! Collects numbers from a file into a table.

use super::error::excerpt;
use super::select::{Role, Selection, select};
use super::{ReadError, ReadOptions, Table};
use faer::Mat;

/// Most numbers of a table: 2 GiB of them.
const MOST_NUMBERS: u64 = 1 << 28;

/// Columns that grow by one number at a time, and a tally of those that cannot be used.
pub(super) struct Collector {
    file: String,
    /// The unit of row numbers: "line" or "row".
    unit: &'static str,
    roles: Vec<Role>,
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
    log_weights: Vec<f64>,
    log_weight: Option<String>,
    chains: Vec<usize>,
    left_out: Vec<String>,
    kept: u64,
    refused: u64,
    /// Place (line or row) and column of the file of the first that was refused.
    first_refused: Option<(u64, usize)>,
}

impl Collector {
    /// For a file with columns of these names.
    pub fn new(
        file: &str,
        unit: &'static str,
        names: &[String],
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let Selection {
            roles,
            columns,
            left_out,
        } = select(file, names, options)?;
        Ok(Self {
            file: file.to_owned(),
            unit,
            roles,
            columns: vec![Vec::new(); columns.len()],
            names: columns,
            log_weights: Vec::new(),
            log_weight: options.log_weight.clone(),
            chains: Vec::new(),
            left_out,
            kept: 0,
            refused: 0,
            first_refused: None,
        })
    }

    /// Whether a column of the file is used.
    pub fn uses(&self, column: usize) -> bool {
        self.roles[column] != Role::Skip
    }

    /// The name of a used column of the file, as it is shown in a message.
    pub fn name(&self, column: usize) -> String {
        let name = match self.roles[column] {
            Role::Value(k) => &self.names[k],
            Role::Chain => "chain",
            _ => self.log_weight.as_deref().unwrap_or_default(),
        };
        excerpt(name.as_bytes())
    }

    /// How many numbers were taken.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Takes a number of a column of the file, at a line or row.
    pub fn push(&mut self, column: usize, number: f64, place: u64) -> Result<(), ReadError> {
        let fits = match self.roles[column] {
            Role::Skip => return Ok(()),
            Role::Value(k) => {
                self.columns[k].push(number);
                number.is_finite()
            }
            Role::Chain => {
                if !((0.0..=1e9).contains(&number) && number.fract() == 0.0) {
                    return Err(ReadError::NotAChain {
                        file: self.file.clone(),
                        place: format!("{} {place}", self.unit),
                        value: number,
                    });
                }
                self.chains.push(number as usize);
                true
            }
            // A weight of zero is a weight.
            Role::LogWeight => {
                self.log_weights.push(number);
                number < f64::INFINITY
            }
        };
        if !fits {
            self.refused += 1;
            let here = (place, column);
            self.first_refused = Some(self.first_refused.map_or(here, |first| first.min(here)));
        }
        self.kept += 1;
        if self.kept > MOST_NUMBERS {
            return Err(ReadError::TooLarge {
                file: self.file.clone(),
                limit: "268,435,456 numbers (2 GiB)",
            });
        }
        Ok(())
    }

    /// The table, if every number can be used.
    pub fn finish(self) -> Result<Table, ReadError> {
        if let Some((place, column)) = self.first_refused {
            return Err(ReadError::NonFinite {
                count: self.refused,
                column: self.name(column),
                place: format!("{} {place}", self.unit),
                file: self.file,
            });
        }
        let rows = self.columns.first().map_or(0, Vec::len);
        if rows == 0 {
            return Err(ReadError::NoRows { file: self.file });
        }
        if let Some(column) = &self.log_weight
            && self.log_weights.iter().all(|w| *w == f64::NEG_INFINITY)
        {
            return Err(ReadError::AllWeightsZero {
                column: column.clone(),
                file: self.file,
            });
        }
        let mut values = Mat::zeros(rows, self.columns.len());
        // Each column is freed as soon as it is copied.
        for (k, column) in self.columns.into_iter().enumerate() {
            let place = values.col_as_slice_mut(k);
            place.copy_from_slice(&column);
        }
        Ok(Table {
            columns: self.names,
            values,
            log_weights: self.log_weight.map(|_| self.log_weights),
            chains: (!self.chains.is_empty()).then_some(self.chains),
            left_out: self.left_out,
            source: self.file,
        })
    }
}
