//! The kinds of densities that files of this crate may hold, see [`density::archive`].

use density::KINDS as PLAIN;
use density::archive::Kind;

/// Every kind of density of an expert.
pub const KINDS: &[Kind] = &[
    PLAIN[0],
    PLAIN[1],
    PLAIN[2],
    PLAIN[3],
    flows::KIND,
    rbig::KIND,
];
