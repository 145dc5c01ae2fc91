//! The records of a results folder, and all results rendered from them.

use super::kind::{Found, Kind, Records};
use super::metrics_csv::{self, Row};
use super::presentation::Presentations;
use super::report;
use anyhow::Result;
use std::path::Path;

/// The records of all kinds.
pub struct Results {
    pub(super) kinds: Vec<Records>,
}

impl Results {
    /// All records below a results folder.
    ///
    /// # Errors
    /// The first that cannot be read.
    pub fn read(kinds: &[Kind], folder: &Path) -> Result<Self> {
        let kinds: Result<_> = kinds.iter().map(|k| (k.records)(folder, None)).collect();
        Ok(Self { kinds: kinds? })
    }

    /// A summary of each record, in the order of tables.
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.kinds.iter().flat_map(|k| &k.found)
    }

    /// All measures, in the order of the records.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.found().flat_map(|f| f.rows.clone()).collect()
    }

    /// Writes `metrics.csv`, `tables/`, `figures/` and `REPORT.md` into a folder. The figure data of the records are below `results`.
    ///
    /// # Errors
    /// The first file that cannot be read or written.
    pub fn write(
        &self,
        presentations: &Presentations,
        results: &Path,
        folder: &Path,
    ) -> Result<()> {
        metrics_csv::write(&folder.join("metrics.csv"), &self.rows())?;
        let figures = folder.join("figures");
        std::fs::create_dir_all(&figures)?;
        let mut rendered = Vec::new();
        for kind in self.kinds.iter().filter(|k| !k.found.is_empty()) {
            let own = kind.render(presentations, results, &figures)?;
            for t in &own.tables {
                let at = |ending: &str| folder.join("tables").join(format!("{}.{ending}", t.stem));
                store::write(&at("csv"), &t.csv()?)?;
                store::write(&at("md"), t.markdown().as_bytes())?;
                store::write(&at("tex"), t.latex().as_bytes())?;
            }
            rendered.push((kind.chapter, own));
        }
        let text = report::markdown(&self.found().collect::<Vec<_>>(), &rendered);
        Ok(store::write(&folder.join("REPORT.md"), text.as_bytes())?)
    }
}
