//! Where results go: whole files or nothing.

use anyhow::{Context, Result, bail};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file to be written, or standard output.
#[derive(Debug)]
pub struct Output {
    path: Option<PathBuf>,
}

impl Output {
    /// Fails at once if the path cannot be written to, or is one of the files that are read; leaves
    /// no file behind. `-` is standard output.
    pub fn check(path: Option<&Path>, read: &[&Path]) -> Result<Self> {
        Self::check_as("--out", path, read)
    }

    /// The same for another option than `--out`.
    pub fn check_as(option: &str, path: Option<&Path>, read: &[&Path]) -> Result<Self> {
        let path = path.filter(|p| p.as_os_str() != "-");
        if let Some(path) = path {
            let place = |p: &Path| std::fs::canonicalize(p).ok();
            if let Some(own) = place(path)
                && let Some(input) = read.iter().find(|r| place(r).as_ref() == Some(&own))
                && !is_special(path)
            {
                bail!(
                    "{}: the file {} would be overwritten; give another name by {option}",
                    path.display(),
                    input.display()
                );
            }
            if path.as_os_str().is_empty() || path.is_dir() {
                bail!("{option} {}: this is a folder; give a file", path.display());
            }
            if !is_special(path) {
                let beside = beside(path);
                let writable = std::fs::File::create(&beside);
                let name = path.display();
                writable.with_context(|| {
                    format!("{name}: cannot be written; choose another place by {option}")
                })?;
                std::fs::remove_file(&beside)?;
            }
        }
        // A link stays a link: what it points to is replaced.
        let target = |p: &Path| std::fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
        Ok(Self {
            path: path.map(target),
        })
    }

    /// Writes all of it: to standard output, or beside the file and then renamed into place.
    pub fn write(&self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let Some(path) = &self.path else {
            let mut out = io::stdout().lock();
            let written = f(&mut out).and_then(|()| out.flush());
            return written.context("standard output cannot be written");
        };
        let name = || format!("{}: cannot be written", path.display());
        if is_special(path) {
            let mut out = std::fs::OpenOptions::new().write(true).open(path);
            let out = out
                .as_mut()
                .map_err(|e| anyhow::anyhow!("{}: {e}", name()))?;
            return f(out).with_context(name);
        }
        let beside = beside(path);
        let written = std::fs::File::create(&beside)
            .and_then(|mut file| {
                f(&mut file)?;
                file.flush()
            })
            .and_then(|()| std::fs::rename(&beside, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        written.with_context(name)
    }
}

/// A device or a pipe, which cannot be replaced by renaming.
pub fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    PathBuf::from(beside)
}
