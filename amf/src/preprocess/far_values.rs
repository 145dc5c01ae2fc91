//! Columns with far rows: fitted after an arcsinh transform, logarithmic in the tails.

use super::quartiles::{QUARTILES_OF_A_NORMAL, quartiles};
use density::{Arcsinh, ArcsinhColumn, Data};
use numerics::math::{dot, ln, sum};
use numerics::matrix::col;

/// A column is transformed if a normal law fits the transformed column better than the column
/// itself by this many nats a row.
///
/// The standard deviation of such a column is dominated by a few rows: after standardising, the
/// others may lie so close together that layers with bounded scales cannot resolve them, and rows
/// farther out than any training row have a density of e^-10000.
const CLEARLY: f64 = 0.5;

/// The transform of points, if any of their columns needs one: the median for centre and a scale
/// from the quartiles.
pub(super) fn arcsinh(data: Data<'_>) -> Option<Arcsinh> {
    let columns = 0..data.points.ncols();
    let columns = columns.map(|j| transform_of(col(data.points, j), data.weights));
    let columns: Vec<_> = columns.collect();
    columns
        .iter()
        .any(Option::is_some)
        .then_some(Arcsinh { columns })
}

/// The transform of a column, if it clearly fits better.
fn transform_of(x: &[f64], weights: Option<&[f64]>) -> Option<ArcsinhColumn> {
    let [low, centre, high] = quartiles(x, weights);
    let scale = (high - low) / QUARTILES_OF_A_NORMAL;
    if scale <= 0.0 {
        return None;
    }
    let transform = ArcsinhColumn { centre, scale };
    let shares: Vec<f64> = match weights {
        None => vec![1.0 / x.len() as f64; x.len()],
        Some(w) => w.iter().map(|v| v / sum(w)).collect(),
    };
    let deviation = |values: &[f64]| {
        let mean = dot(values, &shares);
        let squares: Vec<f64> = values.iter().map(|v| (v - mean) * (v - mean)).collect();
        dot(&squares, &shares).sqrt()
    };
    let (transformed, slopes): (Vec<f64>, Vec<f64>) =
        x.iter().map(|&x| transform.forward(x)).unzip();
    let gain = ln(deviation(x)) - ln(deviation(&transformed)) + dot(&slopes, &shares);
    (gain > CLEARLY).then_some(transform)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::random::{standard_normal, stream};

    #[test]
    fn far_rows_ask_for_a_transform_and_ordinary_ones_do_not() {
        let mut rng = stream(1, "tails");
        let mut of = |f: &mut dyn FnMut(f64, f64) -> f64| {
            let x: Vec<f64> = (0..400)
                .map(|_| f(standard_normal(&mut rng), standard_normal(&mut rng)))
                .collect();
            transform_of(&x, None)
        };
        assert_eq!(of(&mut |a, _| a), None);
        assert_eq!(of(&mut |a, _| a * a), None);
        assert_eq!(of(&mut |a, b| if b > 2.0 { 10.0 + a } else { a }), None);
        assert!(of(&mut |a, b| a / b).is_some());
        let mut first = true;
        let outlier = of(&mut |a, _| if std::mem::take(&mut first) { 1e15 } else { a }).unwrap();
        assert!(outlier.centre.abs() < 0.2 && (outlier.scale - 1.0).abs() < 0.2);
        assert_eq!(of(&mut |_, b| f64::from(u8::from(b > 2.0))), None);
    }
}
