//! Test helpers: corrupted copies of valid files for tests of loaders, observers that interrupt.
//!
//! A [`Trial`] gives a loader many seeded mutations of valid files: flipped, deleted, repeated and
//! inserted bytes, cuts, splices of two files, and numbers and sizes replaced by extreme ones. The
//! loader must stay within [`MOST_MEMORY`] and [`MOST_SECONDS`]; each test checks what was read.
//! The fuzz targets in `fuzz/` test the same for longer, guided by coverage.

mod mutate;

pub use mutate::{bytes, tensors, text};

use density::Progress;
use numerics::random::{Pcg64, stream};
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Bytes that a loader may hold at once for a file of less than 1 MB.
pub const MOST_MEMORY: u64 = 256 << 20;
/// Seconds that a loader may take for one.
pub const MOST_SECONDS: f64 = 10.0;

/// An observer that ends a fit after this number of calls.
pub fn ends_after(calls: usize) -> impl Fn(&Progress<'_>) -> ControlFlow<()> + Sync {
    let told = AtomicUsize::new(0);
    move |_| {
        if told.fetch_add(1, Ordering::Relaxed) < calls {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// A mutation: a corrupted copy of the first file, which may include bytes of the second.
pub type Mutation = fn(&mut Pcg64, &[u8], &[u8]) -> Vec<u8>;

/// Many mutations of valid files.
pub struct Trial<'a> {
    /// The files.
    pub sound: &'a [Vec<u8>],
    /// The mutation.
    pub mutation: Mutation,
    /// How many mutations there are.
    pub cases: usize,
}

impl Trial<'_> {
    /// Gives the valid files, then the mutations to `load`, which returns whether a file was read,
    /// and panics if the result is wrong.
    ///
    /// # Panics
    /// If `load` panics, takes too much memory or time, refuses a valid file, or if nearly all or
    /// nearly none of the mutations are read, which would test nothing.
    pub fn run(&self, label: &str, load: impl Fn(&[u8]) -> bool) {
        for (k, file) in self.sound.iter().enumerate() {
            assert!(within_limits(file, &load), "{label}: sound file {k}");
        }
        let mut rng = stream(1, label);
        let mut read = 0;
        for _ in 0..self.cases {
            let mut any = || &self.sound[mutate::below(&mut rng, self.sound.len())];
            let (file, other) = (any(), any());
            let damaged = (self.mutation)(&mut rng, file, other);
            read += usize::from(within_limits(&damaged, &load));
        }
        let share = read as f64 / self.cases as f64;
        println!("{label}: {read} of {} damaged files were read", self.cases);
        assert!(
            (0.001..0.999).contains(&share),
            "{label}: {share} were read"
        );
    }
}

/// Loads a file and checks memory and time against their limits.
fn within_limits(file: &[u8], load: &impl Fn(&[u8]) -> bool) -> bool {
    let start = Instant::now();
    let mut read = false;
    let memory = allocation_counter::measure(|| read = load(file)).bytes_max;
    let seconds = start.elapsed().as_secs_f64();
    assert!(
        memory <= MOST_MEMORY && seconds <= MOST_SECONDS,
        "{memory} bytes and {seconds} s for a file of {} bytes: {:?}",
        file.len(),
        String::from_utf8_lossy(&file[..file.len().min(400)])
    );
    read
}

/// Loads one file within the limits, and returns whether it was read.
///
/// # Panics
/// If `load` panics, or takes too much memory or time.
#[must_use]
pub fn loads(file: &[u8], load: impl Fn(&[u8]) -> bool) -> bool {
    within_limits(file, &load)
}

/// Whether a file was read; if not, the error must be one readable line.
///
/// # Panics
/// If the message is of more than one line, very long, or holds control characters.
pub fn accepted<T, E: Display>(read: Result<T, E>, check: impl FnOnce(T)) -> bool {
    match read {
        Ok(found) => {
            check(found);
            true
        }
        Err(e) => {
            must_be_one_line(&e.to_string());
            false
        }
    }
}

/// Checks that a message is one readable line.
///
/// # Panics
/// If it is of more than one line, very long, or holds control characters.
pub fn must_be_one_line(message: &str) {
    assert!(
        message.len() < 2000 && !message.contains(char::is_control),
        "{message:?}"
    );
}
