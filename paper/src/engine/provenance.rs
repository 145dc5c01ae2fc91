//! Where and with what a record was computed.

use serde::{Deserialize, Serialize};

/// Everything besides the config that a result may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Git commit of the code ("unknown" outside a checkout).
    pub commit: String,
    /// Whether tracked files differed from that commit.
    pub dirty: bool,
    /// Compiler.
    pub toolchain: String,
    /// Processor.
    pub cpu: String,
    /// Threads of this run.
    pub threads: usize,
}

impl Provenance {
    /// Of this process.
    #[must_use]
    pub fn here(threads: usize) -> Self {
        // Of the code, in any working directory.
        let git = |args: &[&str]| {
            let out = std::process::Command::new("git")
                .args(["-C", env!("CARGO_MANIFEST_DIR")])
                .args(args)
                .output()
                .ok()?;
            out.status
                .success()
                .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        let cpu = std::fs::read_to_string("/proc/cpuinfo")
            .ok()
            .and_then(|text| {
                let line = text
                    .lines()
                    .find(|l| l.starts_with("model name"))?
                    .to_owned();
                Some(line.split(':').nth(1)?.trim().to_owned())
            });
        Self {
            commit: git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".into()),
            dirty: git(&["status", "--porcelain", "--untracked-files=no"])
                .is_none_or(|s| !s.is_empty()),
            toolchain: env!("PAPER_TOOLCHAIN").into(),
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.into()),
            threads,
        }
    }
}
