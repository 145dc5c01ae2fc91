//! Walls: ends that the values of a column cannot pass, where no support was given.

use density::{Bijection, Data, Density, EmConfig, GaussianMixture, Support, add_log_det};
use faer::prelude::*;
use numerics::math::{ln, mean_and_standard_error, sum};
use numerics::random::{permutation, stream};

/// Fewer rows show no wall.
const FEWEST: usize = 100;
/// The most rows that are looked at: an even share of all.
const MOST: usize = 4_000;
/// The first k values from an end take at most so many times the room of the next k where a density stops
/// short there (1 for a density that is level, 2.4 for one that falls to zero in a straight line, more for
/// a tail).
const ABRUPT: f64 = 2.0;
/// A wall is looked for within so many mean gaps beyond the last value; by chance that gap is longer in one
/// column of 150.
const GAPS: f64 = 5.0;
/// Numbers as round as the one found lie so many times farther apart than the room it was looked for in:
/// that it is one is no chance.
const ROUND: f64 = 10.0;
/// Components of the densities that are compared.
const COMPONENTS: usize = 8;

/// The support that a column's values suggest, if they look bounded.
///
/// An end is a wall if the values stop abruptly there, a round number (or a multiple of pi or 90) lies just beyond
/// the last one, and a Gaussian mixture behind the wall has a higher likelihood on held-out rows
/// than one on the whole line. Positive is suggested for values above 0 with a long upper tail that
/// begin within a tenth of a standard deviation of 0, on the same condition. A density on the whole
/// line would put probability beyond the wall.
#[must_use]
pub fn suggested_support(x: MatRef<'_, f64>, column: usize) -> Option<Support> {
    let n = x.nrows();
    if n < FEWEST {
        return None;
    }
    // The ends are those of all rows: a wall that a row is beyond is none.
    let mut sorted: Vec<f64> = (0..n).map(|i| x[(i, column)]).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let upside_down: Vec<f64> = sorted.iter().rev().map(|v| -v).collect();
    let low =
        lower_wall(&sorted).or_else(|| (sorted[0] > 0.0 && begins_at_zero(&sorted)).then_some(0.0));
    let high = lower_wall(&upside_down).map(|v| -v);
    let order = permutation(&mut stream(1, "walls"), n);
    let some: Vec<f64> = order.iter().take(MOST).map(|&i| x[(i, column)]).collect();
    let mut tried = Vec::new();
    if let (Some(low), Some(high)) = (low, high) {
        tried.push(Support::Interval { low, high });
    }
    tried.extend(low.map(above));
    tried.extend(high.map(|high| Support::Below { high }));
    tried.into_iter().find(|s| pays(&some, *s))
}

fn above(low: f64) -> Support {
    if low == 0.0 {
        Support::Positive
    } else {
        Support::Above { low }
    }
}

/// A round number just below ascending values that begin abruptly.
fn lower_wall(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let k = (n / 50).clamp(10, 200);
    let (first, second) = (sorted[k] - sorted[0], sorted[2 * k] - sorted[k]);
    if !(first > 0.0 && first <= ABRUPT * second) {
        return None;
    }
    let room = GAPS * first / k as f64;
    roundest(sorted[0] - room, sorted[0], ROUND * room)
}

/// The roundest number in `[low, high)`, if numbers like it lie at least `apart` from each other: zero, a
/// multiple of a power of ten or of half of one, of pi, or of 90 degrees.
fn roundest(low: f64, high: f64, apart: f64) -> Option<f64> {
    if low <= 0.0 && 0.0 < high {
        return Some(0.0);
    }
    let digits = ln(low.abs().max(high.abs())) / core::f64::consts::LN_10;
    let decimal = (0..=12).flat_map(|k| {
        let ten = 10.0f64.powi(digits.ceil() as i32 - k);
        [ten, 0.5 * ten]
    });
    let steps = decimal.chain([core::f64::consts::PI, 90.0]);
    let mut steps: Vec<f64> = steps.filter(|s| *s >= apart).collect();
    steps.sort_unstable_by(|a, b| b.total_cmp(a));
    steps.into_iter().find_map(|step| {
        // The last of them below the values; exact decimals, not products.
        let at = ((high / step).ceil() - 1.0) * step;
        let at = if step == core::f64::consts::PI {
            at
        } else {
            format!("{at:.12e}").parse().ok()?
        };
        (low <= at && at < high).then_some(at)
    })
}

/// Whether positive values in ascending order begin near zero and have a long upper tail.
fn begins_at_zero(sorted: &[f64]) -> bool {
    let n = sorted.len() as f64;
    let mean = sum(sorted) / n;
    let moment = |p: i32| sorted.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
    let sd = moment(2).sqrt();
    moment(3) > sd.powi(3) && sorted[0] < 0.1 * sd
}

/// Whether held-out likelihood is higher behind the wall by more than a standard error: each half is
/// scored by a density of the other.
fn pays(values: &[f64], support: Support) -> bool {
    if !values.iter().all(|v| support.contains(*v)) {
        return false;
    }
    let (a, b) = values.split_at(values.len() / 2);
    let gains = [(a, b), (b, a)].into_iter().map(|(train, test)| {
        let bounded = log_prob(train, test, support)?;
        let whole = log_prob(train, test, Support::Real)?;
        Some(
            bounded
                .iter()
                .zip(&whole)
                .map(|(a, b)| a - b)
                .collect::<Vec<f64>>(),
        )
    });
    let Some(gains) = gains.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let (mean, error) = mean_and_standard_error(&gains.concat());
    mean > error
}

/// `ln q` of test values under a Gaussian mixture behind the support.
fn log_prob(train: &[f64], test: &[f64], support: Support) -> Option<Vec<f64>> {
    let bijection = Bijection::Supports(vec![support]);
    let on_the_line = |v: &[f64]| {
        let x = Mat::from_fn(v.len(), 1, |i, _| v[i]);
        bijection.transform_and_log_det(x.as_ref())
    };
    let (u, _) = on_the_line(train);
    let rng = &mut stream(1, "walls/mixture");
    let em = EmConfig::default();
    let q = GaussianMixture::fit_by_bic(Data::new(u.as_ref()), COMPONENTS, 2, &em, rng).ok()?;
    let (u, log_det) = on_the_line(test);
    let mut out = q.log_prob(u.as_ref());
    add_log_det(&mut out, &log_det);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use numerics::math::{exp, sigmoid};
    use numerics::random::{Pcg64, standard_normal, uniform};

    fn of(n: usize, f: impl Fn(&mut Pcg64) -> f64) -> Option<Support> {
        let mut rng = stream(1, "support");
        let x = Mat::from_fn(n, 1, |_, _| f(&mut rng));
        suggested_support(x.as_ref(), 0)
    }

    fn between(low: f64, high: f64) -> Option<Support> {
        Some(Support::Interval { low, high })
    }

    #[test]
    fn walls_are_found_wherever_they_are() {
        assert_eq!(of(2000, uniform), between(0.0, 1.0));
        assert_eq!(of(2000, |r| 2.0 * uniform(r) - 1.0), between(-1.0, 1.0));
        assert_eq!(of(2000, |r| 360.0 * uniform(r)), between(0.0, 360.0));
        let turn = core::f64::consts::TAU;
        assert_eq!(of(2000, |r| turn * uniform(r)), between(0.0, turn));
        assert_eq!(
            of(2000, |r| standard_normal(r).abs()),
            Some(Support::Positive)
        );
        assert_eq!(of(2000, |r| -ln(uniform(r))), Some(Support::Positive));
        assert_eq!(
            of(2000, |r| 3.0 + ln(uniform(r))),
            Some(Support::Below { high: 3.0 })
        );
        assert_eq!(
            of(2000, |r| 2.5 - ln(uniform(r))),
            Some(Support::Above { low: 2.5 })
        );
        assert_eq!(
            of(2000, |r| exp(standard_normal(r))),
            Some(Support::Positive)
        );
    }

    #[test]
    fn values_without_walls_get_none() {
        assert_eq!(of(50, uniform), None);
        assert_eq!(of(2000, |r| 0.5 + 0.05 * standard_normal(r)), None);
        assert_eq!(of(2000, |r| 10.0 + standard_normal(r)), None);
        assert_eq!(of(2000, |r| standard_normal(r) / standard_normal(r)), None);
        // Small values are not close to 1.
        assert_eq!(of(2000, |r| 0.005 + 0.001 * standard_normal(r)), None);
        // Two modes, and an end that is no round number.
        assert_eq!(of(2000, |r| standard_normal(r).abs() + 0.123_456), None);
        for seed in 0..50 {
            let mut rng = stream(seed, "normal");
            let x = Mat::from_fn(1000, 1, |_, _| standard_normal(&mut rng));
            assert_eq!(suggested_support(x.as_ref(), 0), None, "{seed}");
        }
        // Level at first sight only: a logistic of a normal.
        assert_eq!(of(2000, |r| sigmoid(0.3 * standard_normal(r))), None);
    }

    #[test]
    fn no_row_lies_beyond_a_suggested_wall() {
        // Uniform from -1 to 1: never from 0 to 1, whatever rows there are.
        for seed in 0..20 {
            let mut rng = stream(seed, "minus");
            let x = Mat::from_fn(300, 1, |_, _| 2.0 * uniform(&mut rng) - 1.0);
            let Some(found) = suggested_support(x.as_ref(), 0) else {
                continue;
            };
            let all = [-0.999_999, 0.0, 0.999_999]
                .iter()
                .all(|v| found.contains(*v));
            assert!(all && found.check().is_ok(), "{found:?}");
        }
    }

    #[test]
    fn round_numbers() {
        assert_eq!(roundest(-0.1, 0.2, 1.0), Some(0.0));
        assert_eq!(roundest(2.96, 3.004, 0.3), Some(3.0));
        assert_eq!(roundest(2.96, 3.0, 0.3), None);
        assert_eq!(roundest(-1.004, -0.999, 0.05), Some(-1.0));
        assert_eq!(roundest(0.0999, 0.1003, 0.01), Some(0.1));
    }
}
