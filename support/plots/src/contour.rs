//! Contours by marching squares.

use std::collections::{BTreeMap, VecDeque};

/// Line segments of the level set of a grid of values (`side` x `side`, row by row), in units of
/// grid points.
pub fn segments(values: &[f64], side: usize, level: f64) -> Vec<[(f64, f64); 2]> {
    let at = |i: usize, j: usize| values[j * side + i] - level;
    let mut out = Vec::new();
    for j in 0..side.saturating_sub(1) {
        for i in 0..side - 1 {
            // Corners in turn, and where the level crosses the edge to the next.
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let v = corners.map(|(i, j)| at(i, j));
            let mut crossings = Vec::with_capacity(4);
            for k in 0..4 {
                let (a, b) = (v[k], v[(k + 1) % 4]);
                if (a > 0.0) != (b > 0.0) {
                    let t = a / (a - b);
                    let (p, q) = (corners[k], corners[(k + 1) % 4]);
                    let mix = |p: usize, q: usize| p as f64 + t * (q as f64 - p as f64);
                    crossings.push((mix(p.0, q.0), mix(p.1, q.1)));
                }
            }
            match crossings[..] {
                [a, b] => out.push([a, b]),
                // A saddle: the centre tells which corners belong together.
                [a, b, c, d] => {
                    let centre = v.iter().sum::<f64>() > 0.0;
                    let pairs = if centre == (v[0] > 0.0) {
                        [[a, b], [c, d]]
                    } else {
                        [[d, a], [b, c]]
                    };
                    out.extend(pairs);
                }
                _ => {}
            }
        }
    }
    out
}

/// The same as lines: segments that meet are joined.
pub fn lines(values: &[f64], side: usize, level: f64) -> Vec<Vec<(f64, f64)>> {
    let segments = segments(values, side, level);
    // Cells that share an edge find the crossing on it up to rounding.
    let key = |p: (f64, f64)| ((p.0 * 1e6).round() as i64, (p.1 * 1e6).round() as i64);
    let mut at: BTreeMap<(i64, i64), Vec<usize>> = BTreeMap::new();
    for (k, segment) in segments.iter().enumerate() {
        for p in segment {
            at.entry(key(*p)).or_default().push(k);
        }
    }
    let mut used = vec![false; segments.len()];
    let mut out = Vec::new();
    for start in 0..segments.len() {
        if used[start] {
            continue;
        }
        used[start] = true;
        let mut line: VecDeque<_> = segments[start].into();
        // On from the last point, then from the first.
        for forwards in [true, false] {
            loop {
                let end = if forwards {
                    line[line.len() - 1]
                } else {
                    line[0]
                };
                let meeting = at.get(&key(end)).into_iter().flatten();
                let Some(&next) = meeting.into_iter().find(|k| !used[**k]) else {
                    break;
                };
                used[next] = true;
                let [a, b] = segments[next];
                let far = if key(a) == key(end) { b } else { a };
                if forwards {
                    line.push_back(far);
                } else {
                    line.push_front(far);
                }
            }
        }
        out.push(line.into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contour_of_a_cone_is_a_circle() {
        let side = 81;
        let values: Vec<f64> = (0..side * side)
            .map(|k| {
                let (x, y) = ((k % side) as f64 - 40.0, (k / side) as f64 - 40.0);
                (x * x + y * y).sqrt()
            })
            .collect();
        let segments = segments(&values, side, 25.3);
        let mut length = 0.0;
        for [a, b] in &segments {
            for p in [a, b] {
                let r = ((p.0 - 40.0).powi(2) + (p.1 - 40.0).powi(2)).sqrt();
                assert!((r - 25.3).abs() < 0.02, "{r}");
            }
            length += ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt();
        }
        assert!(
            (length / (2.0 * std::f64::consts::PI * 25.3) - 1.0).abs() < 0.01,
            "{length}"
        );
    }

    #[test]
    fn two_circles_are_two_closed_lines() {
        let side = 60;
        let values: Vec<f64> = (0..side * side)
            .map(|k| {
                let (x, y) = ((k % side) as f64, (k / side) as f64);
                let from = |cx: f64, cy: f64| (x - cx).powi(2) + (y - cy).powi(2);
                from(15.0, 20.0).min(from(40.0, 35.0)).sqrt()
            })
            .collect();
        let joined = lines(&values, side, 8.3);
        assert_eq!(joined.len(), 2);
        let pieces: usize = joined.iter().map(|l| l.len() - 1).sum();
        assert_eq!(pieces, segments(&values, side, 8.3).len());
        for line in joined {
            let (first, last) = (line[0], line[line.len() - 1]);
            assert!((first.0 - last.0).abs() + (first.1 - last.1).abs() < 1e-9);
        }
    }

    #[test]
    fn a_saddle_gives_two_segments_that_do_not_cross() {
        let found = segments(&[1.0, -1.0, -1.0, 1.0], 2, 0.1);
        assert_eq!(found.len(), 2);
        assert!(segments(&[1.0; 4], 2, 0.0).is_empty());
    }
}
