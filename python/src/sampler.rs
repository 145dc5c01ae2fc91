//! Posteriors: a run that is asked for points and told their values.

use crate::arrays::array2;
use crate::waiting::{Stop, amf_error, interruptible, locked, value_error};
use faer::prelude::*;
use numerics::math::{normal_cdf, normal_quantile};
use numerics::random::stream;
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use posterior::anneal::AnnealSettings;
use posterior::{
    Deliver, InferError, Inference, Likelihood, Posterior, Prior, PriorMap, Session, Value,
};
use pyo3::prelude::*;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Quantiles u of one coordinate of a prior, `name = distribution(numbers)`.
#[pyfunction]
pub fn quantile<'py>(
    py: Python<'py>,
    coordinate: &str,
    u: PyReadonlyArray1<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let prior = Prior::parse([coordinate]).map_err(value_error)?;
    let u = u.as_array();
    let z = Mat::from_fn(u.len(), 1, |i, _| normal_quantile(u[i]));
    let theta = prior.at(z.as_ref());
    Ok(PyArray1::from_iter(py, (0..u.len()).map(|i| theta[(i, 0)])))
}

/// Lower and upper end of one coordinate of a prior.
#[pyfunction]
pub fn prior_support(coordinate: &str) -> PyResult<(f64, f64)> {
    let prior = Prior::parse([coordinate]).map_err(value_error)?;
    Ok(prior.distributions()[0].support())
}

/// A prior transform that is a Python function of an array of points of the unit cube (n x d).
struct Transform {
    names: Vec<String>,
    periodic: Vec<bool>,
    function: Py<PyAny>,
    /// The exception that it raised.
    raised: Arc<Mutex<Option<PyErr>>>,
}

impl Transform {
    fn call(&self, u: &Mat<f64>) -> PyResult<Mat<f64>> {
        Python::attach(|py| {
            let given = array2(py, u.as_ref());
            let theta = self.function.call1(py, (given,))?;
            let theta: PyReadonlyArray2<'_, f64> = theta.extract(py)?;
            if theta.shape() != [u.nrows(), u.ncols()] {
                return Err(value_error(format!(
                    "prior_transform gave an array of shape {:?} for {} points of {} parameters",
                    theta.shape(),
                    u.nrows(),
                    u.ncols()
                )));
            }
            Ok(crate::arrays::matrix(&theta))
        })
    }
}

impl PriorMap for Transform {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn periodic(&self) -> Vec<bool> {
        self.periodic.clone()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        let (least, most) = (f64::MIN_POSITIVE, 1.0_f64.next_down());
        let u = Mat::from_fn(z.nrows(), z.ncols(), |i, j| {
            normal_cdf(z[(i, j)]).clamp(least, most)
        });
        self.call(&u).unwrap_or_else(|e| {
            locked(&self.raised).get_or_insert(e);
            // Numbers that are refused, so that the run ends.
            Mat::from_fn(z.nrows(), z.ncols(), |_, _| f64::NAN)
        })
    }
}

/// Independent coordinates, or a transform.
enum AnyPrior {
    Independent(Prior),
    Transform(Transform),
}

impl AnyPrior {
    fn map(&self) -> &dyn PriorMap {
        match self {
            Self::Independent(prior) => prior,
            Self::Transform(prior) => prior,
        }
    }
}

impl PriorMap for AnyPrior {
    fn names(&self) -> &[String] {
        self.map().names()
    }

    fn periodic(&self) -> Vec<bool> {
        self.map().periodic()
    }

    fn at(&self, z: MatRef<'_, f64>) -> Mat<f64> {
        self.map().at(z)
    }
}

/// Values come from outside.
struct FromOutside(Vec<String>);

impl Likelihood for FromOutside {
    fn derived(&self) -> &[String] {
        &self.0
    }

    fn evaluate(&self, _: MatRef<'_, f64>, _: &Deliver<'_>) -> Result<(), String> {
        Err("values are told, not asked for".into())
    }
}

/// What the thread of a run is asked.
enum Request {
    Tell(Vec<(usize, Value)>),
    Pending,
    Finish,
}

/// What it answers.
enum Answer {
    Told(Result<(), String>),
    Pending(Result<Round, InferError>),
    Finished(Box<Inference>),
}

/// Points that are wanted, and where the run stands.
#[derive(Clone)]
struct Round {
    ids: Vec<usize>,
    theta: Mat<f64>,
    status: posterior::anneal::Status,
}

type Line = (Sender<Request>, Receiver<Answer>);

/// A run that is asked for points and told their values.
#[pyclass(frozen, module = "amf._amf")]
pub struct Sampler {
    line: Mutex<Option<Line>>,
    raised: Arc<Mutex<Option<PyErr>>>,
    stop: Arc<Stop>,
    derived: usize,
}

/// Answers requests until there are no more.
fn serve(
    mut session: Session<'_>,
    pool: &rayon::ThreadPool,
    (requests, answers): (&Receiver<Request>, &Sender<Answer>),
    stop: &Stop,
) {
    let observer = |_: &posterior::anneal::Status| match stop.asked() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    while let Ok(request) = requests.recv() {
        let answer = match request {
            Request::Tell(values) => Answer::Told(session.tell(&values)),
            Request::Pending => {
                Answer::Pending(pool.install(|| session.advance(&observer)).map(|()| {
                    let wanted = session.pending();
                    Round {
                        ids: wanted.ids,
                        theta: wanted.theta,
                        status: session.status().clone(),
                    }
                }))
            }
            Request::Finish => {
                let _ = answers.send(Answer::Finished(Box::new(session.finish())));
                return;
            }
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn failure(e: &InferError) -> PyErr {
    match e {
        InferError::Settings(_) | InferError::Prior(_) => value_error(e),
        _ => amf_error(e),
    }
}

#[pymethods]
impl Sampler {
    #[new]
    #[pyo3(signature = (prior, names, periodic, transform, derived, evaluations, ess, evidence_error, seed, folder, depends_on, threads))]
    #[expect(
        clippy::too_many_arguments,
        reason = "amf/posterior.py gives them names and defaults"
    )]
    fn new(
        py: Python<'_>,
        prior: Option<Vec<String>>,
        names: Vec<String>,
        periodic: Vec<bool>,
        transform: Option<Py<PyAny>>,
        derived: Vec<String>,
        evaluations: usize,
        ess: f64,
        evidence_error: Option<f64>,
        seed: u64,
        folder: Option<PathBuf>,
        depends_on: Vec<String>,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let raised = Arc::new(Mutex::new(None));
        let prior = match (prior, transform) {
            (Some(lines), _) => {
                let lines = lines.iter().map(String::as_str);
                AnyPrior::Independent(Prior::parse(lines).map_err(value_error)?)
            }
            (None, Some(function)) => AnyPrior::Transform(Transform {
                names,
                periodic,
                function,
                raised: Arc::clone(&raised),
            }),
            (None, None) => return Err(value_error("a prior or a prior_transform is needed")),
        };
        let settings = AnnealSettings {
            evaluations,
            ess,
            log_evidence_error: evidence_error,
            ..AnnealSettings::default()
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .build()
            .map_err(amf_error)?;
        let (ask, requests) = channel();
        let (answers, answered) = channel();
        let (begun, beginning) = channel();
        let stop = Arc::new(Stop::default());
        let (of_thread, count) = (Arc::clone(&stop), derived.len());
        std::thread::spawn(move || {
            let mut run = Posterior::new(prior, FromOutside(derived))
                .settings(settings)
                .seed(seed);
            for what in depends_on {
                run = run.depends_on(what);
            }
            if let Some(folder) = folder {
                run = run.kept_in(folder);
            }
            match run.session() {
                Ok(session) => {
                    let _ = begun.send(Ok(()));
                    serve(session, &pool, (&requests, &answers), &of_thread);
                }
                Err(e) => {
                    let _ = begun.send(Err(e));
                }
            }
        });
        let beginning = Mutex::new(beginning);
        let found = py.detach(|| locked(&beginning).recv());
        if let Some(e) = locked(&raised).take() {
            return Err(e);
        }
        match found {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(failure(&e)),
            Err(_) => return Err(amf_error("a thread has panicked; please report this")),
        }
        Ok(Self {
            line: Mutex::new(Some((ask, answered))),
            raised,
            stop,
            derived: count,
        })
    }

    /// The numbers and parameters of points whose values are wanted: none when the run is done.
    #[expect(clippy::type_complexity, reason = "a tuple for Python")]
    fn ask<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        Bound<'py, PyArray1<i64>>,
        Bound<'py, PyArray2<f64>>,
        (usize, usize, f64, f64, f64, f64),
    )> {
        let Answer::Pending(round) = self.request(py, Request::Pending)? else {
            return Err(amf_error(
                "an answer to another question; please report this",
            ));
        };
        if let Some(e) = locked(&self.raised).take() {
            return Err(e);
        }
        let Round {
            ids,
            theta,
            status: s,
        } = round.map_err(|e| failure(&e))?;
        let ids = PyArray1::from_iter(py, ids.into_iter().map(|i| i as i64));
        let status = (
            s.rounds,
            s.evaluations,
            s.beta,
            s.ess,
            s.log_evidence,
            s.standard_error,
        );
        Ok((ids, array2(py, theta.as_ref()), status))
    }

    /// Tells values: log-likelihoods of the points with these numbers, and derived quantities (n x m).
    fn tell(
        &self,
        py: Python<'_>,
        ids: PyReadonlyArray1<'_, i64>,
        log_likelihood: PyReadonlyArray1<'_, f64>,
        derived: PyReadonlyArray2<'_, f64>,
    ) -> PyResult<()> {
        let (ids, l, derived) = (
            ids.as_array(),
            log_likelihood.as_array(),
            derived.as_array(),
        );
        if l.len() != ids.len() || derived.dim() != (ids.len(), self.derived) {
            return Err(value_error(format!(
                "{} points, {} log-likelihoods and derived quantities of shape {:?} where {} of each are expected",
                ids.len(),
                l.len(),
                derived.dim(),
                self.derived
            )));
        }
        let mut values = Vec::with_capacity(ids.len());
        for (i, &id) in ids.iter().enumerate() {
            let id = usize::try_from(id)
                .map_err(|_| value_error(format!("point {id} was not asked for")))?;
            let value = Value {
                log_likelihood: l[i],
                derived: derived.row(i).to_vec(),
                failed: false,
            };
            values.push((id, value));
        }
        match self.request(py, Request::Tell(values))? {
            Answer::Told(told) => told.map_err(value_error),
            _ => Err(amf_error(
                "an answer to another question; please report this",
            )),
        }
    }

    /// The result so far. The run cannot be asked any more.
    fn finish(&self, py: Python<'_>) -> PyResult<Found> {
        let Answer::Finished(found) = self.request(py, Request::Finish)? else {
            return Err(amf_error(
                "an answer to another question; please report this",
            ));
        };
        locked(&self.line).take();
        Ok(Found(*found))
    }
}

impl Sampler {
    fn request(&self, py: Python<'_>, request: Request) -> PyResult<Answer> {
        let line = locked(&self.line).take();
        let Some(line) = line else {
            return Err(amf_error(
                "the run has ended, or another thread is asking it",
            ));
        };
        let line = Mutex::new(line);
        let answer = interruptible(
            py,
            Some(1),
            |_| {
                let line = locked(&line);
                line.0.send(request).ok()?;
                line.1.recv().ok()
            },
            &|_| Ok(()),
        );
        if answer.is_err() {
            // Ctrl-C: the round is not fitted to its end, and the run is over.
            self.stop.ask();
        }
        let line = line
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let answer = answer?
            .ok_or_else(|| amf_error("the run has ended unexpectedly; please report this"))?;
        *locked(&self.line) = Some(line);
        Ok(answer)
    }
}

/// A posterior that was found.
#[pyclass(frozen, module = "amf._amf")]
pub struct Found(Inference);

#[pymethods]
impl Found {
    #[getter]
    fn names(&self) -> Vec<String> {
        self.0.names().to_vec()
    }

    #[getter]
    fn derived_names(&self) -> Vec<String> {
        self.0.derived_names().to_vec()
    }

    /// ln Z and its standard error.
    #[getter]
    fn log_evidence(&self) -> (f64, f64) {
        let z = self.0.log_evidence();
        (z.value, z.standard_error)
    }

    #[getter]
    fn ess(&self) -> f64 {
        self.0.ess()
    }

    #[getter]
    fn pareto_k(&self) -> Option<f64> {
        self.0.pareto_k()
    }

    #[getter]
    fn evaluations(&self) -> usize {
        self.0.status().evaluations
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings().to_vec()
    }

    /// The parameters of all evaluations.
    fn theta<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        array2(py, self.0.theta())
    }

    fn log_likelihood<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.0.log_likelihood())
    }

    fn derived<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f64>> {
        let rows = self.0.derived();
        let m = self.0.derived_names().len();
        let all = Mat::from_fn(rows.len(), m, |i, j| rows[i][j]);
        array2(py, all.as_ref())
    }

    fn weights<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, self.0.weights())
    }

    /// Rows of n equally weighted draws.
    fn resampled<'py>(&self, py: Python<'py>, n: usize, seed: u64) -> Bound<'py, PyArray1<i64>> {
        let rows = self.0.resampled(n, &mut stream(seed, "draws"));
        PyArray1::from_iter(py, rows.into_iter().map(|i| i as i64))
    }
}
