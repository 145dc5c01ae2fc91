//! The `paper` command.

fn main() -> std::process::ExitCode {
    paper::cli::main()
}
