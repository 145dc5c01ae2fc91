//! The kinds of densities of this crate, as files hold them.

use crate::archive::Kind;
use crate::{GaussianMixture, Kde, Mixture, StudentMixture, Transformed, mixture, transformed};

/// The kinds of this crate.
pub const KINDS: [Kind; 5] = [
    Kind {
        name: GaussianMixture::KIND,
        read: |_, r| Ok(Box::new(GaussianMixture::read(r)?)),
    },
    Kind {
        name: StudentMixture::KIND,
        read: |_, r| Ok(Box::new(StudentMixture::read(r)?)),
    },
    Kind {
        name: Kde::KIND,
        read: |_, r| Ok(Box::new(Kde::read(r)?)),
    },
    Kind {
        name: mixture::KIND,
        read: |d, r| Ok(Box::new(Mixture::read(d, r)?)),
    },
    Kind {
        name: transformed::KIND,
        read: |d, r| Ok(Box::new(Transformed::read(d, r, |d, r| r.density(d))?)),
    },
];
