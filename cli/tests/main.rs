//! The built `amf` binary.

mod bench;
mod chains;
mod command;
mod infer;
mod infer_mistakes;
mod infer_stray;
mod infer_tables;
