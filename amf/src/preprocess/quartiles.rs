//! Quartiles of weighted columns.

/// The quartiles of a column under weights: the smallest values below which a quarter, a half and
/// three quarters of the weight lie.
pub(crate) fn quartiles(x: &[f64], weights: Option<&[f64]>) -> [f64; 3] {
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let mut order: Vec<usize> = (0..x.len()).filter(|&i| weight(i) > 0.0).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let total: f64 = order.iter().map(|&i| weight(i)).sum();
    [0.25, 0.5, 0.75].map(|share| {
        let mut below = 0.0;
        let at = order.iter().find(|&&i| {
            below += weight(i);
            below >= share * total
        });
        at.or(order.last()).map_or(0.0, |&i| x[i])
    })
}

/// Interquartile range of a normal in standard deviations.
pub(crate) const QUARTILES_OF_A_NORMAL: f64 = 1.349;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_quartiles_are_those_of_copies() {
        let (x, w) = ([5.0, 1.0, 3.0, 9.0], [1.0, 4.0, 0.0, 3.0]);
        let copies = [1.0, 1.0, 1.0, 1.0, 5.0, 9.0, 9.0, 9.0];
        assert_eq!(quartiles(&x, Some(&w)), quartiles(&copies, None));
        assert_eq!(quartiles(&copies, None), [1.0, 1.0, 9.0]);
    }
}
