//! Long work without the interpreter's lock: progress is told and Ctrl-C is noticed meanwhile.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

create_exception!(
    _amf,
    AmfError,
    PyException,
    "Something that cannot be computed: the message says what, and what to do."
);

/// Between two looks at signals.
const LOOK: Duration = Duration::from_millis(100);

/// A `ValueError` with this message.
pub fn value_error(e: impl ToString) -> PyErr {
    PyValueError::new_err(e.to_string())
}

/// An `AmfError` with this message.
pub fn amf_error(e: impl ToString) -> PyErr {
    AmfError::new_err(e.to_string())
}

/// What a lock guards; no panic leaves it half changed.
pub fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the work is asked to end.
#[derive(Default)]
pub struct Stop(AtomicBool);

impl Stop {
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Set when a thread ends, also by a panic.
#[derive(Default)]
struct Done(Mutex<bool>, Condvar);

struct WhenDropped<'a>(&'a Done);

impl Drop for WhenDropped<'_> {
    fn drop(&mut self) {
        *locked(&self.0.0) = true;
        self.0.1.notify_all();
    }
}

impl Done {
    /// Whether it is set, after a while at most.
    fn wait(&self) -> bool {
        let guard = locked(&self.0);
        let waited = self.1.wait_timeout_while(guard, LOOK, |done| !*done);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Runs `work` on other threads until it is done. Ten times a second signals are looked at and `look` is
/// called; when one of them raises an exception (Ctrl-C), the work is asked to stop and waited for.
pub fn interruptible<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce(&Stop) -> T + Send,
    look: &dyn Fn(Python<'_>) -> PyResult<()>,
) -> PyResult<T> {
    if threads == Some(0) {
        return Err(value_error("threads must be at least 1, not 0"));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build()
        .map_err(amf_error)?;
    let (stop, done) = (Stop::default(), Done::default());
    std::thread::scope(|scope| {
        let handle = scope.spawn(|| {
            let _when_dropped = WhenDropped(&done);
            pool.install(|| work(&stop))
        });
        let mut raised = None;
        while !py.detach(|| done.wait()) {
            if raised.is_none()
                && let Err(e) = py.check_signals().and_then(|()| look(py))
            {
                raised = Some(e);
                stop.ask();
            }
        }
        let found = py.detach(|| handle.join());
        match (raised, found) {
            (Some(e), _) => Err(e),
            (None, Ok(found)) => Ok(found),
            (None, Err(_)) => Err(amf_error("a thread has panicked; please report this")),
        }
    })
}
