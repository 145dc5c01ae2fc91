//! Signals during a run: the first lets the points at work be answered, the second ends at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use store::Signals;

/// Time that the rest of the work has to end. Files are written as a whole or line by line, so none is
/// left that could be misread.
const PATIENCE: Duration = Duration::from_millis(700);

/// Signals so close together are one: `timeout` and job managers send theirs to the process and to
/// its group.
const ONE: Duration = Duration::from_millis(300);

/// Waits shorter than this need no word.
const QUIET: Duration = Duration::from_millis(500);

/// Between two looks.
const STEP: Duration = Duration::from_millis(10);

/// What signals have asked for.
#[derive(Clone)]
pub struct Interrupts {
    signals: Signals,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    signals: OnceLock<Signals>,
    first: OnceLock<Instant>,
    /// How long answers may still take after the first signal.
    grace: Duration,
    /// Points at work, and programs whose end is waited for.
    at_work: AtomicUsize,
    /// Whether nothing is waited for any more.
    now: AtomicBool,
}

impl Interrupts {
    /// Begins to listen; `message` says how to resume.
    pub fn listen(message: &'static str, grace: Duration) -> Self {
        let shared = Arc::new(Shared {
            grace,
            ..Shared::default()
        });
        let own = Arc::clone(&shared);
        // There is one handler in a process: that of `Signals`, which would end before answers have
        // come, finds this one in its place.
        let _ = ctrlc::set_handler(move || signal(&own));
        let signals = Signals::listen(message);
        let _ = shared.signals.set(signals.clone());
        Self { signals, shared }
    }

    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whether no more points should be sent.
    pub fn stop(&self) -> bool {
        self.signals.stop().load(Ordering::Relaxed)
    }

    /// Whether answers should not be waited for either.
    pub fn now(&self) -> bool {
        self.shared.now.load(Ordering::Relaxed)
    }

    /// Something to wait for, as long as the result lives.
    pub fn at_work(&self) -> AtWork<'_> {
        self.shared.at_work.fetch_add(1, Ordering::SeqCst);
        AtWork(&self.shared.at_work)
    }
}

/// See [`Interrupts::at_work`].
pub struct AtWork<'a>(&'a AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A signal has come. Returns at once: the next one waits for that.
fn signal(shared: &Arc<Shared>) {
    let Some(signals) = shared.signals.get() else {
        std::process::exit(130);
    };
    signals.stop().store(true, Ordering::SeqCst);
    if shared.first.set(Instant::now()).is_err() {
        let since = shared.first.get().map_or(Duration::ZERO, Instant::elapsed);
        if since >= ONE {
            shared.now.store(true, Ordering::SeqCst);
        }
        return;
    }
    let (shared, signals) = (Arc::clone(shared), signals.clone());
    std::thread::spawn(move || {
        wait(&shared);
        shared.now.store(true, Ordering::SeqCst);
        std::thread::sleep(PATIENCE);
        let _ = signals.interrupted();
        std::process::exit(130);
    });
}

/// Waits for the answers to the points at work.
fn wait(shared: &Shared) {
    let (start, mut said) = (Instant::now(), false);
    while start.elapsed() < shared.grace
        && shared.at_work.load(Ordering::SeqCst) > 0
        && !shared.now.load(Ordering::SeqCst)
    {
        std::thread::sleep(STEP);
        if !said && start.elapsed() > QUIET {
            said = true;
            let seconds = shared.grace.as_secs_f64();
            say!(
                "amf: waiting up to {seconds} s for the answers to the points at work; another signal ends at once"
            );
        }
    }
}
