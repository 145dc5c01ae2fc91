//! One colour for each model, in every figure (Okabe and Ito's palette, told apart by colour-blind
//! readers too).

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(40, 40, 40);
/// The target.
pub const TARGET: RGBColor = RGBColor(90, 90, 90);

/// The colour of a model.
pub fn of(model: &str) -> RGBColor {
    match model {
        "target" => TARGET,
        "mixture" => RGBColor(0, 0, 0),
        "maf" => RGBColor(213, 94, 0),
        "realnvp" => RGBColor(0, 114, 178),
        "rbig" => RGBColor(0, 158, 115),
        "maf_normal" => RGBColor(240, 160, 100),
        "realnvp_normal" => RGBColor(110, 180, 225),
        "gaussian" => RGBColor(150, 150, 150),
        "base" => RGBColor(0, 158, 115),
        "gmm_bic" => RGBColor(230, 159, 0),
        "kde" => RGBColor(86, 180, 233),
        "gmm_12" => RGBColor(184, 158, 214),
        "gmm_16" => RGBColor(150, 118, 190),
        "gmm_24" => RGBColor(112, 76, 160),
        "gmm_32" => RGBColor(70, 35, 120),
        "gmm_fine" => RGBColor(225, 190, 210),
        "gmm_16_fine" => RGBColor(190, 200, 120),
        "gmm_32_fine" => RGBColor(120, 140, 40),
        "smm" => RGBColor(165, 105, 60),
        _ => RGBColor(204, 121, 167),
    }
}

/// How a model is called in figures.
pub fn label(model: &str) -> String {
    match model {
        "target" => "target".into(),
        "mixture" => "mixture".into(),
        "maf" => "MAF".into(),
        "realnvp" => "RealNVP".into(),
        "rbig" => "RBIG".into(),
        "maf_normal" => "MAF, normal base".into(),
        "realnvp_normal" => "RealNVP, normal base".into(),
        "gaussian" => "Gaussian".into(),
        "base" => "base alone".into(),
        "gmm_bic" => "GMM by BIC".into(),
        "kde" => "KDE".into(),
        "gmm" => "GMM".into(),
        "smm" => "Student-t mixture".into(),
        gmm if gmm.starts_with("gmm_") => format!("GMM {}", gmm[4..].replace('_', " ")),
        other => other.into(),
    }
}

/// Black-violet-orange-yellow, for densities from 0 to 1.
pub fn heat(t: f64) -> RGBColor {
    const STOPS: [(f64, [f64; 3]); 6] = [
        (0.0, [255.0, 255.0, 255.0]),
        (0.12, [222.0, 230.0, 244.0]),
        (0.35, [141.0, 171.0, 219.0]),
        (0.6, [92.0, 92.0, 178.0]),
        (0.82, [74.0, 28.0, 110.0]),
        (1.0, [30.0, 0.0, 40.0]),
    ];
    let t = t.clamp(0.0, 1.0);
    let i = STOPS[1..5].iter().filter(|s| s.0 <= t).count();
    let ((a, from), (b, to)) = (STOPS[i], STOPS[i + 1]);
    let u = (t - a) / (b - a);
    let channel = |k: usize| (from[k] + u * (to[k] - from[k])).round() as u8;
    RGBColor(channel(0), channel(1), channel(2))
}
