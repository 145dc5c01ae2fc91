//! Snapshots of numbers: each within a relative tolerance of the file, which keeps all digits.

use insta::Snapshot;
use insta::internals::SnapshotContents;

/// Results of another CPU may differ in the last bits, which a few hundred optimiser steps amplify.
const TOLERANCE: f64 = 1e-6;

/// Compares a text of numbers with its snapshot.
pub fn assert_near_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_comparator(Box::new(NumbersWithin(TOLERANCE)));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Two texts are equal when their words are, numbers up to the tolerance.
#[derive(Clone)]
struct NumbersWithin(f64);

impl NumbersWithin {
    fn equal(&self, a: &str, b: &str) -> bool {
        let words = |s: &str| {
            s.split([',', '\n', ' '])
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let (a, b) = (words(a.trim()), words(b.trim()));
        let close = |(a, b): (&String, &String)| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) => (x - y).abs() <= self.0 * x.abs().max(y.abs()),
            _ => a == b,
        };
        a.len() == b.len() && a.iter().zip(&b).all(close)
    }
}

impl insta::Comparator for NumbersWithin {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        match (reference.contents(), test.contents()) {
            (SnapshotContents::Text(a), SnapshotContents::Text(b)) => {
                self.equal(&a.to_string(), &b.to_string())
            }
            _ => false,
        }
    }

    fn dyn_clone(&self) -> Box<dyn insta::Comparator> {
        Box::new(self.clone())
    }
}

#[test]
fn the_comparator_tells_near_from_far() {
    let c = NumbersWithin(1e-6);
    assert!(c.equal("a 1.0000000001,x", "a 1,x"));
    assert!(!c.equal("a 1.00001,x", "a 1,x"));
    assert!(!c.equal("a 1 2", "a 1"));
    assert!(!c.equal("maf 1", "rbig 1"));
}
