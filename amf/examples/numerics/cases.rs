//! Data that are hard on the arithmetic, or of which no density exists.

use datasets::Family;
use faer::prelude::*;
use numerics::math::{exp, ln};
use numerics::random::{Pcg64, standard_normal, stream, uniform};

type Rows = Box<dyn Fn(usize, &mut Pcg64) -> Mat<f64> + Send + Sync>;

/// One kind of difficult data.
pub struct Case {
    /// Name in the table and of the random streams.
    pub name: &'static str,
    /// Rows to fit to.
    pub n: usize,
    /// Draws of the law.
    law: Rows,
    /// What is done to the rows to fit to, and not to those that are held out.
    spoil: fn(&mut Mat<f64>),
    /// Logarithms of weights, which are independent of the rows and so do not change the law.
    log_weight: Option<fn(&mut Pcg64) -> f64>,
    /// Whether the columns are said to be positive.
    pub positive: bool,
    /// What must come of it.
    pub expect: Expect,
    /// By how much the recipe, and an expert alone, may be worse than the normal law of greatest
    /// likelihood, nats.
    pub slack: [f64; 2],
}

/// What must come of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Fits.
    Fit,
    /// A refusal that has these words.
    Refusal(&'static str),
}

use Expect::{Fit, Refusal};

/// Rows that fits are judged on.
const HELD_OUT: usize = 2000;

impl Case {
    fn new(name: &'static str, n: usize, expect: Expect, law: Rows) -> Self {
        Self {
            name,
            n,
            law,
            spoil: |_| (),
            log_weight: None,
            positive: false,
            expect,
            slack: [0.05, 0.1],
        }
    }

    fn spoilt(self, spoil: fn(&mut Mat<f64>)) -> Self {
        Self { spoil, ..self }
    }

    fn weighted(self, log_weight: fn(&mut Pcg64) -> f64) -> Self {
        Self {
            log_weight: Some(log_weight),
            ..self
        }
    }

    fn positive(self) -> Self {
        Self {
            positive: true,
            ..self
        }
    }

    fn slack(self, slack: [f64; 2]) -> Self {
        Self { slack, ..self }
    }

    /// The rows to fit to.
    pub fn train(&self) -> Mat<f64> {
        let mut x = (self.law)(self.n, &mut stream(1, &format!("{}/train", self.name)));
        (self.spoil)(&mut x);
        x
    }

    /// Fresh draws of the law.
    pub fn held_out(&self) -> Mat<f64> {
        (self.law)(HELD_OUT, &mut stream(1, &format!("{}/held out", self.name)))
    }

    /// The log-weights of the rows to fit to, if they have any.
    pub fn log_weights(&self) -> Option<Vec<f64>> {
        let mut rng = stream(1, &format!("{}/weights", self.name));
        self.log_weight
            .map(|f| (0..self.n).map(|_| f(&mut rng)).collect())
    }
}

/// Independent entries, each from the function of its column.
fn independent(d: usize, entry: impl Fn(usize, &mut Pcg64) -> f64 + Send + Sync + 'static) -> Rows {
    Box::new(move |n, rng| {
        let mut x = Mat::zeros(n, d);
        for i in 0..n {
            (0..d).for_each(|j| x[(i, j)] = entry(j, rng));
        }
        x
    })
}

/// The banana with another scale and place for each column.
fn banana(scale: [f64; 2], place: f64) -> Rows {
    Box::new(move |n, rng| {
        let x = Family::Banana.sample(n, rng);
        Mat::from_fn(n, 2, |i, j| place + scale[j] * x[(i, j)])
    })
}

/// Normal columns, each with a share of a common one: correlation `rho` between any two.
fn correlated(d: usize, rho: f64) -> Rows {
    Box::new(move |n, rng| {
        let mut x = Mat::zeros(n, d);
        for i in 0..n {
            let common = rho.sqrt() * standard_normal(rng);
            (0..d).for_each(|j| x[(i, j)] = common + (1.0 - rho).sqrt() * standard_normal(rng));
        }
        x
    })
}

/// A column that the first ones give, behind them.
fn with_last(d: usize, last: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Rows {
    Box::new(move |n, rng| {
        let mut x = Mat::zeros(n, d + 1);
        for i in 0..n {
            let own: Vec<f64> = (0..d).map(|_| standard_normal(rng)).collect();
            (0..d).for_each(|j| x[(i, j)] = own[j]);
            x[(i, d)] = last(&own);
        }
        x
    })
}

fn normal(_: usize, rng: &mut Pcg64) -> f64 {
    standard_normal(rng)
}

fn cauchy(_: usize, rng: &mut Pcg64) -> f64 {
    standard_normal(rng) / standard_normal(rng)
}

/// Two columns whose logarithms have a standard deviation of 10.
fn decades() -> Rows {
    independent(2, |_, rng| exp(10.0 * standard_normal(rng)))
}

/// Counts: the number of unit exponentials that fit into `mean`.
fn poisson(mean: f64, rng: &mut Pcg64) -> f64 {
    let (mut count, mut time) = (0.0, -ln(uniform(rng)));
    while time < mean {
        count += 1.0;
        time -= ln(uniform(rng));
    }
    count
}

/// All cases, in the order of the table.
pub fn all() -> Vec<Case> {
    let case = Case::new;
    vec![
        case("normal", 400, Fit, correlated(2, 0.5)),
        case("banana", 400, Fit, banana([1.0, 1.0], 0.0)),
        case("banana times 1e-12", 400, Fit, banana([1e-12, 1e-12], 0.0)),
        case("banana times 1e12", 400, Fit, banana([1e12, 1e12], 0.0)),
        case(
            "columns times 1e-12 and 1e12",
            400,
            Fit,
            banana([1e-12, 1e12], 0.0),
        ),
        case("banana plus 1e9", 400, Fit, banana([1.0, 1.0], 1e9)),
        case(
            "banana plus 1e15, of which 3 bits are left",
            400,
            Refusal("subtract a constant"),
            banana([1.0, 1.0], 1e15),
        ),
        case(
            "banana plus 1e17, of which nothing is left",
            400,
            Refusal("constant"),
            banana([0.1, 0.1], 1e17),
        ),
        case(
            "values of 1e300",
            400,
            Refusal("rescale"),
            banana([1e300, 1.0], 0.0),
        ),
        case(
            "values of 1e-310",
            400,
            Refusal("rescale"),
            banana([1e-310, 1.0], 0.0),
        ),
        case("Cauchy", 400, Fit, independent(1, cauchy)),
        case("two Cauchy columns", 400, Fit, independent(2, cauchy)),
        case("outlier at 1e3", 400, Fit, correlated(2, 0.5)).spoilt(|x| x[(7, 0)] = 1e3),
        case("outlier at 1e6", 400, Fit, correlated(2, 0.5)).spoilt(|x| x[(7, 0)] = 1e6),
        case("outlier at 1e15", 400, Fit, correlated(2, 0.5)).spoilt(|x| x[(7, 0)] = 1e15),
        case(
            "outlier at 1e100",
            400,
            Refusal("take the row out"),
            correlated(2, 0.5),
        )
        .spoilt(|x| x[(7, 0)] = 1e100),
        case(
            "outlier at 1e15 in both columns",
            400,
            Fit,
            correlated(2, 0.5),
        )
        .spoilt(|x| (x[(7, 0)], x[(7, 1)]) = (1e15, 1e15)),
        case("correlation 1 - 1e-6", 400, Fit, correlated(2, 1.0 - 1e-6)),
        case("correlation 1 - 1e-9", 400, Fit, correlated(2, 1.0 - 1e-9)),
        case(
            "correlation 1 - 1e-14",
            400,
            Refusal("leave one out"),
            correlated(2, 1.0 - 1e-14),
        ),
        case(
            "ten columns, correlation 1 - 1e-9",
            400,
            Fit,
            correlated(10, 1.0 - 1e-9),
        ),
        case(
            "a column twice",
            400,
            Refusal("leave one out"),
            with_last(2, |x| x[1]),
        ),
        case(
            "a column that is the sum of two",
            400,
            Refusal("leave one out"),
            with_last(2, |x| x[0] + x[1]),
        ),
        case(
            "the sum of two, to 1e-4",
            400,
            Fit,
            Box::new(|n, rng: &mut Pcg64| {
                let mut x = with_last(2, |x| x[0] + x[1])(n, rng);
                (0..n).for_each(|i| x[(i, 2)] += 1e-4 * standard_normal(rng));
                x
            }),
        ),
        case(
            "a constant column",
            400,
            Refusal("constant"),
            with_last(1, |_| 0.1),
        ),
        case(
            "all rows equal",
            400,
            Refusal("constant"),
            independent(2, |j, _| j as f64 + 0.1),
        ),
        case(
            "two different values",
            400,
            Refusal("different"),
            independent(1, |_, rng| f64::from(u8::from(uniform(rng) < 0.3))),
        ),
        case(
            "integers beside a normal column",
            400,
            Fit,
            Box::new(|n, rng: &mut Pcg64| {
                let mut x = Mat::zeros(n, 2);
                for i in 0..n {
                    x[(i, 0)] = poisson(5.0, rng);
                    x[(i, 1)] = 0.3 * x[(i, 0)] + standard_normal(rng);
                }
                x
            }),
        ),
        case(
            "two columns of integers",
            400,
            Fit,
            independent(2, |_, rng| poisson(20.0, rng)),
        ),
        case(
            "rounded to 0.1",
            400,
            Fit,
            Box::new(|n, rng: &mut Pcg64| {
                let x = correlated(2, 0.5)(n, rng);
                Mat::from_fn(n, 2, |i, j| (10.0 * x[(i, j)]).round() / 10.0)
            }),
        ),
        case(
            "zero in nine of ten rows, beside a normal column",
            400,
            Refusal("no density"),
            independent(2, |j, rng| {
                let zero = j == 0 && uniform(rng) < 0.9;
                if zero { 0.0 } else { standard_normal(rng) }
            }),
        ),
        case(
            "log-weights from -690 to 0",
            400,
            Refusal("weight"),
            independent(2, normal),
        )
        .weighted(|rng| -690.0 * uniform(rng)),
        case(
            "log-weights over 10,000",
            400,
            Refusal("weight"),
            independent(2, normal),
        )
        .weighted(|rng| 1e4 * standard_normal(rng)),
        case(
            "half of the weights 1e-300",
            400,
            Fit,
            banana([1.0, 1.0], 0.0),
        )
        .weighted(|rng| if uniform(rng) < 0.5 { -690.8 } else { 0.0 }),
        case(
            "weights of 1e-300 and a third 1e300",
            400,
            Fit,
            banana([1.0, 1.0], 0.0),
        )
        .weighted(|rng| if uniform(rng) < 0.67 { -690.8 } else { 690.8 }),
        case("2 rows", 2, Refusal("too few"), independent(1, normal)),
        case(
            "3 rows of 2 columns",
            3,
            Refusal("too few"),
            independent(2, normal),
        ),
        case("20 rows", 20, Fit, correlated(2, 0.5)).slack([0.1, 0.4]),
        case("26 rows of 25 columns", 26, Fit, independent(25, normal)),
        case(
            "20 rows of 64 columns",
            20,
            Refusal("too few"),
            independent(64, normal),
        ),
        case("65 rows of 64 columns", 65, Fit, independent(64, normal)),
        case("400 rows of 64 columns", 400, Fit, correlated(64, 0.5)).slack([0.05, 1.6]),
        case("log-normal over 26 decades", 400, Fit, decades()),
        case("the same, said to be positive", 400, Fit, decades()).positive(),
    ]
}
