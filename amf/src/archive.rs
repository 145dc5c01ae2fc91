//! The kinds of densities that files of this crate may hold, see [`density::archive`].

use density::KINDS as PLAIN;
use density::archive::Kind;

/// Every kind of density of an expert.
pub const KINDS: &[Kind] = &{
    let mut all = [flows::KIND; PLAIN.len() + 2];
    all[1] = rbig::KIND;
    let mut k = 0;
    while k < PLAIN.len() {
        all[k + 2] = PLAIN[k];
        k += 1;
    }
    all
};
