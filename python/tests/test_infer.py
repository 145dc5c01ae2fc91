"""Posteriors from likelihoods."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats

import amf

NORMAL = {"a": amf.Prior.normal(0, 1), "b": amf.Prior.normal(0, 1)}
#: ln Z of the likelihood below: the integral of exp(-(t - 1)^2 / (2 s^2)) N(t; 0, 1), twice.
LOG_Z = 2 * (0.5 * np.log(0.09 / 1.09) - 0.5 / 1.09)


def log_likelihood(t):
    return -0.5 * np.sum(((t - 1) / 0.3) ** 2)


def vectorized(t):
    return -0.5 * np.sum(((t - 1) / 0.3) ** 2, axis=1)


def with_derived(t):
    return log_likelihood(t), t[0] + t[1]


def test_evidence_and_moments_are_right():
    found = amf.infer(log_likelihood, NORMAL, ess=2000)
    assert abs(found.log_evidence - LOG_Z) < 4 * found.log_evidence_error < 0.1
    draws = found.sample(4000, seed=1)
    assert np.allclose(draws.mean(axis=0), 1 / 1.09, atol=0.03)
    assert np.isclose(found.weights.sum(), 1) and not found.warnings
    density = found.density(config=amf.QUICK)
    assert density.columns == ["a", "b"]


def test_every_way_to_evaluate_gives_the_same_bits(tmp_path):
    options = {"prior": NORMAL, "ess": 500}
    expected = amf.infer(log_likelihood, **options)
    run = amf.Sampler(NORMAL, ess=500)
    while len(theta := run.ask()):
        half = len(theta) // 2
        values = np.array([log_likelihood(t) for t in theta])
        run.tell(values[half:], ids=run.ids[half:])
        run.tell(values[:half], ids=run.ids[:half])
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        others = [
            run.result(),
            amf.infer(vectorized, vectorized=True, **options),
            amf.infer(log_likelihood, pool=threads, **options),
            amf.infer(log_likelihood, pool=processes, **options),
            amf.infer(log_likelihood, folder=tmp_path, **options),
            amf.infer(log_likelihood, threads=1, **options),
        ]
    for other in others:
        assert other.log_evidence == expected.log_evidence
        assert (other.theta == expected.theta).all()


def test_derived_quantities_come_along():
    found = amf.infer(with_derived, NORMAL, derived=["sum"], ess=500)
    assert np.array_equal(found.derived["sum"], found.theta.sum(axis=1))
    data = found.to_arviz()
    assert {"a", "b", "sum"} <= set(data.posterior.data_vars)


def test_priors_of_scipy_and_transforms():
    of_scipy = amf.infer(log_likelihood, {"a": scipy.stats.norm(0, 1), "b": scipy.stats.norm()}, ess=500)
    assert of_scipy.log_evidence == amf.infer(log_likelihood, NORMAL, ess=500).log_evidence
    other = amf.infer(log_likelihood, {"a": scipy.stats.norm(0, 1), "b": scipy.stats.gumbel_r()}, ess=1000)
    assert np.isfinite(other.log_evidence)
    cube = amf.infer(log_likelihood, lambda u: 6 * u - 3, names=["a", "b"], ess=1000)
    inside = scipy.stats.norm(1, 0.3).cdf([-3, 3]) @ [-1, 1]
    exact = 2 * np.log(0.3 * np.sqrt(2 * np.pi) / 6 * inside)
    assert abs(cube.log_evidence - exact) < 4 * cube.log_evidence_error


@pytest.mark.parametrize(
    ("prior", "scipy_prior"),
    [
        (amf.Prior.uniform(-1, 3), scipy.stats.uniform(-1, 4)),
        (amf.Prior.log_uniform(0.1, 10), scipy.stats.loguniform(0.1, 10)),
        (amf.Prior.log_normal(0.5, 0.7), scipy.stats.lognorm(0.7, scale=np.exp(0.5))),
        (amf.Prior.half_normal(2), scipy.stats.halfnorm(scale=2)),
        (amf.Prior.truncated_normal(1, 2, 0, 3), scipy.stats.truncnorm(-0.5, 1, loc=1, scale=2)),
        (amf.Prior.exponential(2), scipy.stats.expon(scale=0.5)),
        (amf.Prior.gamma(3, 2), scipy.stats.gamma(3, scale=0.5)),
        (amf.Prior.beta(2, 3), scipy.stats.beta(2, 3)),
        (amf.Prior.cauchy(1, 2), scipy.stats.cauchy(1, 2)),
        (amf.Prior.student_t(4, 1, 2), scipy.stats.t(4, 1, 2)),
    ],
)
def test_priors_have_the_quantiles_of_scipy(prior, scipy_prior):
    from amf._prior import native

    u = np.array([0.01, 0.3, 0.5, 0.9, 0.999])
    assert np.allclose(prior.ppf(u), scipy_prior.ppf(u), rtol=1e-9)
    assert np.allclose(native(scipy_prior).ppf(u), prior.ppf(u), rtol=1e-9)


class Own(Exception):
    pass


def test_exceptions_come_out_unchanged_and_nothing_evaluated_is_lost(tmp_path):
    calls = []

    def fails_once(t):
        calls.append(tuple(t))
        if len(calls) == 700:
            raise Own("after 699")
        return log_likelihood(t)

    with pytest.raises(Own, match="after 699"):
        amf.infer(fails_once, NORMAL, ess=500, folder=tmp_path)
    found = amf.infer(fails_once, NORMAL, ess=500, folder=tmp_path)
    again = [c for c in calls if calls.count(c) > 1]
    assert len(set(again)) == 1, "only the point that failed is evaluated again"
    assert found.log_evidence == amf.infer(log_likelihood, NORMAL, ess=500).log_evidence


def test_a_folder_of_another_likelihood_is_refused(tmp_path):
    amf.infer(log_likelihood, NORMAL, ess=100, folder=tmp_path)
    with pytest.raises(amf.AmfError, match="likelihood"):
        amf.infer(with_derived, NORMAL, ess=100, folder=tmp_path)


def test_warnings_are_told():
    with pytest.warns(UserWarning, match="were not enough"):
        amf.infer(log_likelihood, NORMAL, evaluations=1000)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: amf.infer(lambda t: "x", NORMAL), TypeError, "at a = "),
        (lambda: amf.infer(lambda t: (1.0, 2.0), NORMAL), ValueError, "2 numbers where 1"),
        (lambda: amf.infer(lambda t: np.inf, NORMAL), ValueError, "infinity at a = "),
        (lambda: amf.infer(log_likelihood, {}), TypeError, "dict"),
        (lambda: amf.infer(log_likelihood, {"a": 3}), TypeError, "prior of 'a'"),
        (lambda: amf.infer(log_likelihood, lambda u: u), TypeError, "names"),
        (lambda: amf.infer(log_likelihood, lambda u: 1 / 0, names=["a"]), ZeroDivisionError, "division"),
        (lambda: amf.infer(log_likelihood, lambda u: [1, 2], names=["a"]), ValueError, "shape"),
        (lambda: amf.infer(log_likelihood, NORMAL, evaluations=0), ValueError, "at least 1"),
        (lambda: amf.Prior.uniform(1, 0), ValueError, "low"),
        (lambda: amf.infer(vectorized, NORMAL, vectorized=True, pool=object()), ValueError, "exclude"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_run_that_is_over_says_so():
    run = amf.Sampler({"a": amf.Prior.normal(0, 1)}, evaluations=300, ess=100)
    while len(theta := run.ask()):
        run.tell(-0.5 * theta[:, 0] ** 2)
    run.result()
    with pytest.raises(amf.AmfError, match="ended"):
        run.ask()
    run = amf.Sampler({"a": amf.Prior.normal(0, 1)})
    run.ask()
    with pytest.raises(ValueError, match="not asked for"):
        run.tell([0.0], ids=[10**6])
