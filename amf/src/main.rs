//! The `amf` command.

fn main() -> std::process::ExitCode {
    amf::command::main()
}
