//! Contours by marching squares.

/// Line segments of the level set of a grid of values (`side` x `side`, row by row), in units of grid points.
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
    fn a_saddle_gives_two_segments_that_do_not_cross() {
        let found = segments(&[1.0, -1.0, -1.0, 1.0], 2, 0.1);
        assert_eq!(found.len(), 2);
        assert!(segments(&[1.0; 4], 2, 0.0).is_empty());
    }
}
