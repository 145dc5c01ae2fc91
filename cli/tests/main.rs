//! The built `amf` binary.

mod bench;
mod command;
mod infer;
mod infer_mistakes;
mod infer_stray;
mod infer_tables;
