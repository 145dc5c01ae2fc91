//! Corner plots of made-up draws in 1, 2, 3, 6 and 12 dimensions, to look at:
//! `cargo run --release -p plots --example corner -- FOLDER`.

use faer::Mat;
use numerics::math::exp;
use numerics::random::{standard_normal, stream, uniform};
use plots::{Corner, Draws, corner};
use std::path::PathBuf;

/// A bent column, a skewed one, two modes, tiny and far-away numbers, in turn.
fn draws(n: usize, d: usize, label: &str) -> Mat<f64> {
    let mut rng = stream(1, label);
    let mut out = Mat::zeros(n, d);
    for i in 0..n {
        let z = standard_normal(&mut rng);
        for j in 0..d {
            let own = standard_normal(&mut rng);
            out[(i, j)] = match j % 6 {
                0 => z,
                1 => z * z + 0.5 * own,
                2 => exp(0.6 * own),
                3 => own * 0.3 + if uniform(&mut rng) < 0.4 { -2.0 } else { 1.5 },
                4 => 1e-5 * (z + own),
                _ => 2_455_197.12 + 1e-3 * own,
            };
        }
    }
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let names = ["mu", "curvature", "tau", "theta[1]", "log_rate", "t_0"];
    for d in [1, 2, 3, 6, 12] {
        let columns: Vec<String> = (0..d).map(|j| names[j % 6].to_owned()).collect();
        let (model, data) = (draws(50_000, d, "model"), draws(2_000, d, "data"));
        let values = data.as_ref();
        let figure = Corner {
            name: "model",
            title: "made-up draws",
            columns: &columns,
            model: model.as_ref(),
            data: Some(Draws {
                values,
                weights: None,
            }),
        };
        corner(&folder.join(format!("corner_{d}.png")), &figure)?;
        corner(&folder.join(format!("corner_{d}.svg")), &figure)?;
    }
    Ok(())
}
