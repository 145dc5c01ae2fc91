//! Ctrl-C and other signals: work ends within a second, with a message that says how to resume.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time that interrupted work has to end and save its checkpoints. Then the process exits: files are
/// written atomically, so none is left half-written.
const PATIENCE: Duration = Duration::from_millis(700);

/// The flag that signals set (SIGINT, SIGTERM, SIGHUP), and the message that is then printed.
#[derive(Debug, Clone)]
pub struct Signals {
    message: &'static str,
    stop: Arc<AtomicBool>,
    said: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen; `message` says how to resume.
    #[must_use]
    pub fn listen(message: &'static str) -> Self {
        let this = Self {
            message,
            stop: Arc::default(),
            said: Arc::default(),
        };
        let signals = this.clone();
        // Without a handler Ctrl-C still ends the process; nothing half-written is left either way.
        let _ = ctrlc::set_handler(move || {
            signals.stop.store(true, Ordering::Relaxed);
            std::thread::sleep(PATIENCE);
            let _ = signals.interrupted();
            std::process::exit(130);
        });
        this
    }

    /// Set when work should end.
    #[must_use]
    pub fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// Prints the message once; returns the exit code.
    #[must_use]
    pub fn interrupted(&self) -> ExitCode {
        if !self.said.swap(true, Ordering::Relaxed) {
            // A closed stderr is no reason to fail.
            let _ = writeln!(std::io::stderr(), "{}", self.message);
        }
        ExitCode::from(130)
    }
}
