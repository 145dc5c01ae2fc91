//! Tests of the crate through its public interface, in one binary.

mod families;
mod multivariate;
mod posterior;
mod symmetries;
