//! Ctrl-C and other signals: work ends within a second, with a message that says how to resume.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time that interrupted work has to end and save its checkpoints. Then the process exits: files are
/// written atomically, so none is left half-written.
const PATIENCE: Duration = Duration::from_millis(700);

/// The flag that signals set (SIGINT, SIGTERM, SIGHUP), and the message that is then printed.
#[derive(Debug, Clone)]
pub struct Signals {
    message: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    said: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen; `message` says how to resume.
    #[must_use]
    pub fn listen(message: &'static str) -> Self {
        let this = Self {
            message: Arc::new(Mutex::new(message.into())),
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

    /// From now on this message is printed instead.
    pub fn say_instead(&self, message: String) {
        *self.message.lock().unwrap_or_else(|e| e.into_inner()) = message;
    }

    /// Prints the message once; returns the exit code.
    #[must_use]
    pub fn interrupted(&self) -> ExitCode {
        if !self.said.swap(true, Ordering::Relaxed) {
            // A closed stderr is no reason to fail.
            let message = self.message.lock().unwrap_or_else(|e| e.into_inner());
            let _ = writeln!(std::io::stderr(), "{message}");
        }
        ExitCode::from(130)
    }
}
