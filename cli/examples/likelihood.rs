//! A program for `amf infer --command`: a line of two parameters in, a line with the log-likelihood
//! and a derived quantity out.
//!
//! ```sh
//! cargo build --release -p amf-cli --example likelihood
//! amf infer --prior 'a = normal(0, 1)' --prior 'b = uniform(-2, 4)' --derived distance \
//!     --command 'target/release/examples/likelihood' --draws draws.csv
//! ```
//!
//! Options for experiments: `--log FILE` appends each line that comes in, before it is evaluated;
//! `--milliseconds N` is how long a point takes.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{Write, stdin, stdout};
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = args.iter().position(|a| a == name)?;
        args.get(at + 1)
    };
    let mut log = match option("--log") {
        Some(path) => Some(OpenOptions::new().append(true).create(true).open(path)?),
        None => None,
    };
    let pause = option("--milliseconds").map(|n| n.parse()).transpose()?;
    let pause = pause.map(Duration::from_millis);
    for line in stdin().lines() {
        let line = line?;
        if let Some(log) = &mut log {
            // In one piece: several programs may share the file.
            log.write_all(format!("{line}\n").as_bytes())?;
        }
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        let theta: Result<Vec<f64>, _> = line.split(',').map(str::parse).collect();
        let [a, b] = theta?[..] else {
            return Err(format!("two numbers are expected, not \"{line}\"").into());
        };
        // A curved ridge.
        let (along, across) = ((a - 1.0) / 0.5, (b - a * a) / 0.2);
        let log_likelihood = -0.5 * (along * along + across * across);
        let distance = (a * a + b * b).sqrt();
        println!("{log_likelihood:?},{distance:?}");
        stdout().flush()?;
    }
    Ok(())
}
