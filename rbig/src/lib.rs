//! rbig
