"""Densities: their inputs, their values, their files."""

import pickle
from concurrent.futures import ProcessPoolExecutor

import arviz
import numpy as np
import pandas as pd
import pytest

import amf


@pytest.fixture(scope="module")
def density():
    draws = np.random.default_rng(2).gamma(2.0, size=(400, 2))
    return amf.fit(draws, columns=["a", "b"], support={"a": (0, None)}, config=amf.QUICK)


def test_the_density_is_normalised_and_zero_outside_of_its_support(density):
    a, b = np.linspace(1e-3, 30, 600), np.linspace(-20, 40, 600)
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    mass = np.exp(density.log_prob(grid)).sum() * (a[1] - a[0]) * (b[1] - b[0])
    assert abs(mass - 1) < 0.03
    assert density.log_prob([[-1.0, 1.0]])[0] == -np.inf
    assert (density.sample(1000, seed=1)[:, 0] > 0).all()
    assert density.support == {"a": (0.0, None), "b": (None, None)}


def test_every_layout_of_an_array_gives_the_same_bits(density):
    x = density.sample(10_000, seed=3)
    expected = density.log_prob(x)
    for other in [np.asfortranarray(x), x[::-1][::-1], x.tolist(), pd.DataFrame(x, columns=["a", "b"])]:
        assert (density.log_prob(other) == expected).all()
    swapped = pd.DataFrame(x[:, ::-1], columns=["b", "a"])
    assert (density.log_prob(swapped) == expected).all()
    assert density.log_prob(x[0])[0] == expected[0]


def test_seeds_repeat_draws(density):
    assert (density.sample(10, seed=1) == density.sample(10, seed=1)).all()
    assert (density.sample(10) != density.sample(10)).any()


def test_a_density_survives_its_file_and_a_pickle(density, tmp_path):
    path = tmp_path / "model.safetensors"
    density.save(path)
    x = density.sample(100, seed=1)
    for copy in [amf.load(path), pickle.loads(pickle.dumps(density))]:
        assert (copy.log_prob(x) == density.log_prob(x)).all()
        assert copy.report == density.report


def test_other_processes_give_the_same_bits(density):
    x = density.sample(50, seed=1)
    with ProcessPoolExecutor(1) as pool:
        assert (pool.submit(density.log_prob, x).result() == density.log_prob(x)).all()


def test_chains_of_arviz_are_known(rng):
    chains = {"mu": rng.normal(size=(4, 150)), "theta": rng.normal(size=(4, 150, 2))}
    data = arviz.from_dict(posterior=chains) if arviz.__version__ < "1" else arviz.from_dict({"posterior": chains})
    density = amf.fit(data, config=amf.QUICK)
    assert density.columns == ["mu", "theta[0]", "theta[1]"]
    assert density.report["dependence"] is not None
    assert amf.fit(data, columns=["theta"], config=amf.QUICK).columns == ["theta[0]", "theta[1]"]


def test_dicts_tables_and_chains_of_arrays(rng):
    a, b = rng.normal(size=200), rng.normal(size=(200, 2))
    of_dict = amf.fit({"a": a, "b": b}, config=amf.QUICK)
    assert of_dict.columns == ["a", "b[0]", "b[1]"]
    table = pd.DataFrame({"a": a, "x": b[:, 0], "y": b[:, 1]})
    of_table = amf.fit(table, config=amf.QUICK)
    x = rng.normal(size=(5, 3))
    assert (of_dict.log_prob(x) == of_table.log_prob(x)).all()
    in_chains = amf.fit(np.stack([b[:100], b[100:]]), config=amf.QUICK)
    assert in_chains.report["dependence"] is not None


def test_weights_are_used(rng):
    draws = rng.normal(size=(2000, 1)) * 2
    log_weights = -0.5 * draws[:, 0] ** 2 + 0.5 * (draws[:, 0] / 2) ** 2
    density = amf.fit(draws, log_weights=log_weights, config=amf.QUICK)
    assert abs(density.sample(4000, seed=1).std() - 1) < 0.1


def test_the_report_is_readable(density):
    text = str(density.report)
    assert "held-out NLL" in text and "trust:" in text
    assert density.report._repr_html_().startswith("<pre>")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"draws": [[1.0, 2.0]] * 5}, ValueError, "too few"),
        ({"draws": [["a"] * 2] * 30}, TypeError, "numbers are needed"),
        ({"draws": "draws.csv"}, TypeError, "read the file first"),
        ({"draws": np.full((30, 2), np.nan)}, ValueError, "row 1"),
        ({"draws": np.eye(30), "columns": ["a"]}, ValueError, "1 names in columns for 30 columns"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "support": {"b": (0, 1)}}, ValueError, "no column 'b'"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "support": {"x1": (5, None)}}, ValueError, "row 1"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "log_weights": [1.0]}, ValueError, "shape"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "config": "nonsense"}, ValueError, "1:1"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "threads": 0}, ValueError, "threads"),
        ({"draws": np.random.default_rng(1).normal(size=(50, 1)), "seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        amf.fit(**arguments)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_models_are_refused(tmp_path, density):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(amf.AmfError, match="x.safetensors"):
        amf.load(path)
    with pytest.raises(ValueError, match="3 columns where the density has 2"):
        density.log_prob([[1.0, 2.0, 3.0]])
