//! Ctrl-C and the like: work ends within a second, and says how to go on.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What interrupted work has to come to an end by itself, and to keep its checkpoints. Afterwards the process ends wherever it is: files are whole or not
/// there, whenever that happens.
const PATIENCE: Duration = Duration::from_millis(700);

/// Whether the end was announced.
static SAID: AtomicBool = AtomicBool::new(false);

/// A flag that Ctrl-C (SIGINT, SIGTERM, SIGHUP) sets.
#[must_use]
pub fn on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let signal = Arc::clone(&stop);
    // Without a handler Ctrl-C still ends the process; nothing half-written is left either way.
    let _ = ctrlc::set_handler(move || {
        signal.store(true, Ordering::Relaxed);
        std::thread::sleep(PATIENCE);
        let _ = interrupted();
        std::process::exit(130);
    });
    stop
}

/// Says how to go on, once; gives the exit code.
#[must_use]
pub fn interrupted() -> ExitCode {
    if !SAID.swap(true, Ordering::Relaxed) {
        eprintln!("interrupted: what is finished is kept, and the same command goes on from there");
    }
    ExitCode::from(130)
}
