//! Comparison of gradients with central differences.

/// The largest disagreement that [`gradient`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mismatch {
    /// Index of the parameter.
    pub index: usize,
    /// The gradient under test.
    pub given: f64,
    /// The central difference.
    pub numeric: f64,
    /// `|given - numeric| / max(1, |given|, |numeric|, scale)`, with `scale` the largest gradient
    /// entry.
    pub error: f64,
}

/// Compares `grad` with central differences of `f` at `params` and returns the worst entry (`None`
/// without parameters).
///
/// Each derivative is a Richardson extrapolation of two central differences (steps h and h/2,
/// `h = step * max(1, |p|)`), whose truncation error is of order h^4; at `step = 1e-3` errors of
/// 1e-10 relative to the size of `f` can be seen.
pub fn gradient(
    params: &[f64],
    grad: &[f64],
    step: f64,
    mut f: impl FnMut(&[f64]) -> f64,
) -> Option<Mismatch> {
    let mut p = params.to_vec();
    let scale = grad.iter().fold(0.0f64, |m, g| m.max(g.abs()));
    let mut worst: Option<Mismatch> = None;
    for i in 0..p.len() {
        let h = step * params[i].abs().max(1.0);
        let mut central = |h: f64| {
            p[i] = params[i] + h;
            let up = f(&p);
            p[i] = params[i] - h;
            let down = f(&p);
            p[i] = params[i];
            (up - down) / (2.0 * h)
        };
        let numeric = (4.0 * central(0.5 * h) - central(h)) / 3.0;
        let size = grad[i].abs().max(numeric.abs()).max(scale).max(1.0);
        let error = (grad[i] - numeric).abs() / size;
        // A NaN counts as the worst error.
        if worst.is_none_or(|w| !w.error.is_nan() && (error.is_nan() || error > w.error)) {
            worst = Some(Mismatch {
                index: i,
                given: grad[i],
                numeric,
                error,
            });
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_gradient_passes_and_a_wrong_one_is_found() {
        let f = |p: &[f64]| p[0] * p[0] * p[1] + p[2];
        let p = [1.5, -2.0, 7.0];
        let right = [2.0 * p[0] * p[1], p[0] * p[0], 1.0];
        assert!(gradient(&p, &right, 1e-3, f).unwrap().error < 1e-9);
        let wrong = [right[0], right[1] + 0.01, 1.0];
        let worst = gradient(&p, &wrong, 1e-3, f).unwrap();
        assert_eq!(worst.index, 1);
        assert!(worst.error > 1e-3);
        let nan = [f64::NAN, right[1], 1.0];
        assert_eq!(gradient(&p, &nan, 1e-3, f).unwrap().index, 0);
        assert!(gradient(&[], &[], 1e-3, f).is_none());
    }
}
