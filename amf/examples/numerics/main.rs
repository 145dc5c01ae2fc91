//! What happens to difficult data.
//!
//! `cargo run --release -p amf --example numerics [-- WORDS]` prints what is under the text of `docs/numerics.md`: held-out likelihoods of the recipe and of
//! single experts, or why there is no fit; of the cases with these words in their names alone, if some are given.

mod cases;
mod fits;

use fits::Outcome;

fn main() {
    let words = std::env::args().nth(1).unwrap_or_default();
    let settings = fits::settings();
    let wanted = |c: &cases::Case| c.name.contains(&words);
    for case in cases::all().into_iter().filter(wanted) {
        let start = std::time::Instant::now();
        let show = |o: &Outcome| match o {
            Outcome::Fit { nll, .. } => format!("{nll:.3}"),
            Outcome::Refused(why) => format!("[{why}]"),
        };
        let whole = fits::recipe(&case, &settings);
        let t = start.elapsed().as_secs_f64();
        let alone: Vec<String> = settings
            .experts
            .iter()
            .take(3)
            .map(|e| show(&fits::alone(&case, &e.kind)))
            .collect();
        let g = fits::gaussian(&case);
        println!(
            "{} | {} | {} | {} | {:?} | {t:.1}s {:.1}s",
            case.name,
            case.n,
            show(&whole),
            alone.join(" | "),
            g,
            start.elapsed().as_secs_f64()
        );
        if let Outcome::Fit { notes, .. } = whole {
            for n in notes {
                println!("      - {n}");
            }
        }
    }
}
