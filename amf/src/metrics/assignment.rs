//! The linear assignment problem.

use super::MetricError;

/// An optimal assignment of rows to columns, and the proof that it is one.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The column of each row.
    pub column_of_row: Vec<usize>,
    /// `sum_i c[i][column_of_row[i]]`.
    pub cost: f64,
    /// Dual price u of each row.
    pub row_duals: Vec<f64>,
    /// Dual price v of each column: `u_i + v_j <= c_ij`, with equality on the assigned pairs, up to rounding.
    pub column_duals: Vec<f64>,
}

/// Solves `min over permutations s of sum_i c[i][s(i)]` for the `n x n` matrix `cost`, one row after the other.
///
/// # Errors
/// A cost that is not finite.
///
/// # Panics
/// If `cost` has not `n * n` entries.
pub fn assign(cost: &[f64], n: usize) -> Result<Assignment, MetricError> {
    assert_eq!(cost.len(), n * n, "assign: the matrix is not n x n");
    if !cost.iter().all(|c| c.is_finite()) {
        return Err(MetricError::Overflow);
    }
    let mut solver = Solver::new(cost, n);
    solver.warm_start();
    for row in 0..n {
        if solver.column_of_row[row] == FREE {
            solver.augment(row);
        }
    }
    Ok(solver.finish())
}

const FREE: usize = usize::MAX;

struct Solver<'a> {
    cost: &'a [f64],
    n: usize,
    v: Vec<f64>,
    column_of_row: Vec<usize>,
    row_of_column: Vec<usize>,
    open_price: Vec<f64>,
    distance: Vec<f64>,
    parent: Vec<u64>,
}

impl<'a> Solver<'a> {
    fn new(cost: &'a [f64], n: usize) -> Self {
        Self {
            cost,
            n,
            v: vec![0.0; n],
            column_of_row: vec![FREE; n],
            row_of_column: vec![FREE; n],
            open_price: vec![0.0; n],
            distance: vec![0.0; n],
            parent: vec![0; n],
        }
    }

    fn row(&self, i: usize) -> &'a [f64] {
        &self.cost[i * self.n..(i + 1) * self.n]
    }

    fn warm_start(&mut self) {
        self.v.fill(f64::INFINITY);
        for i in 0..self.n {
            let row = self.row(i);
            for (v, c) in self.v.iter_mut().zip(row) {
                *v = if c < v { *c } else { *v };
            }
        }
        let mut free: Vec<usize> = (0..self.n).collect();
        let passes = 2;
        for _ in 0..passes {
            let mut budget = 4 * free.len();
            let mut stack: Vec<usize> = std::mem::take(&mut free);
            stack.reverse();
            while let Some(i) = stack.pop() {
                let (j1, m1, m2) = best_two(self.row(i), &self.v);
                let before = self.v[j1];
                self.v[j1] -= m2 - m1;
                let lowered = self.v[j1] < before;
                let old = self.row_of_column[j1];
                if old != FREE && !lowered {
                    free.push(i);
                    continue;
                }
                self.row_of_column[j1] = i;
                self.column_of_row[i] = j1;
                if old != FREE {
                    self.column_of_row[old] = FREE;
                    if budget > 0 {
                        budget -= 1;
                        stack.push(old);
                    } else {
                        free.push(old);
                    }
                }
            }
            free.sort_unstable();
        }
    }

    fn augment(&mut self, start: usize) {
        let n = self.n;
        self.open_price.copy_from_slice(&self.v);
        self.distance.fill(f64::INFINITY);
        let mut scanned: Vec<(usize, f64)> = Vec::new();
        let mut i = start;
        let mut h = 0.0;
        let (end, mu) = loop {
            let mut best = [f64::INFINITY; 8];
            let row = self.row(i);
            let tag = i as u64;
            let (dc, dr) = self.distance.as_chunks_mut::<8>();
            let (pc, pr) = self.parent.as_chunks_mut::<8>();
            let (cc, cr) = row.as_chunks::<8>();
            let (vc, vr) = self.open_price.as_chunks::<8>();
            for (((d, p), c), v) in dc.iter_mut().zip(pc).zip(cc).zip(vc) {
                for k in 0..8 {
                    let t = c[k] - v[k] - h;
                    let closer = t < d[k];
                    d[k] = if closer { t } else { d[k] };
                    p[k] = if closer { tag } else { p[k] };
                    best[k] = if d[k] < best[k] { d[k] } else { best[k] };
                }
            }
            for (((d, p), c), v) in dr.iter_mut().zip(pr).zip(cr).zip(vr) {
                let t = c - v - h;
                if t < *d {
                    *d = t;
                    *p = tag;
                }
                best[0] = if *d < best[0] { *d } else { best[0] };
            }
            let mu = best.iter().copied().fold(f64::INFINITY, f64::min);
            let j = position(&self.distance, mu);
            let next = self.row_of_column[j];
            if next == FREE {
                break (j, mu);
            }
            scanned.push((j, mu));
            self.distance[j] = f64::INFINITY;
            self.open_price[j] = f64::NEG_INFINITY;
            i = next;
            h = self.cost[i * n + j] - self.v[j] - mu;
        };
        for (j, d) in scanned {
            self.v[j] += d - mu;
        }
        let mut j = end;
        loop {
            let i = self.parent[j] as usize;
            self.row_of_column[j] = i;
            let next = std::mem::replace(&mut self.column_of_row[i], j);
            if i == start {
                break;
            }
            j = next;
        }
    }

    fn finish(self) -> Assignment {
        let duals_and_costs = self.column_of_row.iter().enumerate().map(|(i, &j)| {
            let c = self.cost[i * self.n + j];
            (c - self.v[j], c)
        });
        let (row_duals, costs): (Vec<f64>, Vec<f64>) = duals_and_costs.unzip();
        Assignment {
            cost: autodiff::math::sum(&costs),
            column_of_row: self.column_of_row,
            row_duals,
            column_duals: self.v,
        }
    }
}

/// First index at which `x` is `value`.
fn position(x: &[f64], value: f64) -> usize {
    const BLOCK: usize = 32;
    for (b, block) in x.chunks(BLOCK).enumerate() {
        if block.iter().fold(false, |hit, &v| hit | (v == value)) {
            let k = block.iter().position(|&v| v == value);
            return b * BLOCK + k.expect("the block holds the value");
        }
    }
    unreachable!("the value is in the slice")
}

/// Index of the least `c - v`, that value, and the second least.
fn best_two(c: &[f64], v: &[f64]) -> (usize, f64, f64) {
    const LANES: usize = 8;
    let mut first = [f64::INFINITY; LANES];
    let mut second = [f64::INFINITY; LANES];
    let mut at = [0u64; LANES];
    let (cc, cr) = c.as_chunks::<LANES>();
    let (vc, vr) = v.as_chunks::<LANES>();
    for (b, (c, v)) in cc.iter().zip(vc).enumerate() {
        for k in 0..LANES {
            let t = c[k] - v[k];
            let better = t < first[k];
            let loser = if better { first[k] } else { t };
            second[k] = if loser < second[k] { loser } else { second[k] };
            first[k] = if better { t } else { first[k] };
            at[k] = if better { b as u64 } else { at[k] };
        }
    }
    let mut best = (0, f64::INFINITY, f64::INFINITY);
    let mut take = |j: usize, t: f64| {
        if t < best.1 {
            best = (j, t, best.1);
        } else if t < best.2 {
            best.2 = t;
        }
    };
    for k in 0..LANES {
        take(at[k] as usize * LANES + k, first[k]);
    }
    let tail = cc.len() * LANES;
    for (k, (c, v)) in cr.iter().zip(vr).enumerate() {
        take(tail + k, c - v);
    }
    for s in second {
        if s < best.2 {
            best.2 = s;
        }
    }
    best
}
