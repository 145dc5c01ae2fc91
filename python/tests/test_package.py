"""The package as a whole."""

import doctest
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import amf


def test_examples_in_docstrings():
    for module in pkgutil.iter_modules(amf.__path__, "amf."):
        if module.name.endswith("._amf"):
            continue
        found = doctest.testmod(importlib.import_module(module.name))
        assert found.failed == 0, module.name
    assert doctest.testmod(amf).failed == 0


def test_the_example_of_the_readme_runs():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    names: dict = {}
    for block in text.split("```python\n")[1:]:
        exec(block.split("```")[0].replace("amf.fit(draws,", "amf.fit(draws, config=amf.QUICK,"), names)
    assert names["found"].ess > 5000


def command():
    built = Path(__file__).parents[2] / "target" / "debug" / "amf"
    path = Path(os.environ.get("AMF_COMMAND", built))
    if not path.exists():
        pytest.skip("the command is not built: cargo build, or set AMF_COMMAND")
    return path


def test_the_command_and_the_package_give_the_same_bits(tmp_path):
    draws = np.random.default_rng(5).normal(size=(200, 2)).round(6)
    rows, recipe, model = tmp_path / "rows.csv", tmp_path / "recipe.ron", tmp_path / "model.safetensors"
    np.savetxt(rows, draws, delimiter=",", header="a,b", comments="", fmt="%.17g")
    recipe.write_text(amf.QUICK)
    options = ["--config", recipe, "--out", model, "--seed", "7"]
    subprocess.run([command(), "fit", rows, *options], check=True, capture_output=True)
    of_command, own = amf.load(model), amf.fit(draws, columns=["a", "b"], seed=7, config=amf.QUICK)
    assert (of_command.log_prob(draws) == own.log_prob(draws)).all()
    sampled = subprocess.run([command(), "sample", model, "-n", "20", "--seed", "3"], check=True, capture_output=True, text=True)
    written = np.loadtxt(sampled.stdout.splitlines(), delimiter=",", skiprows=1)
    assert (written == own.sample(20, seed=3)).all()


SLOW_FIT = """
import numpy as np, amf
draws = np.random.default_rng(1).normal(size=(20_000, 6))
print("begun", flush=True)
amf.fit(draws)
"""

SLOW_LIKELIHOOD = """
import time, amf
def log_likelihood(t):
    time.sleep(0.01)
    return 0.0
print("begun", flush=True)
amf.infer(log_likelihood, {"a": amf.Prior.normal(0, 1)})
"""


@pytest.mark.parametrize("program", [SLOW_FIT, SLOW_LIKELIHOOD])
def test_ctrl_c_ends_long_work(program):
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err and process.returncode != 0


def test_large_arrays_are_not_copied():
    resource = pytest.importorskip("resource")
    density = amf.fit(np.random.default_rng(1).normal(size=(200, 4)), config=amf.QUICK)
    x = np.random.default_rng(2).normal(size=(1_000_000, 4))
    density.log_prob(x[:10_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log_q = density.log_prob(x)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # Kilobytes: the result and its parts have 8 MB each, a copy of the input would have 32 more.
    assert len(log_q) == 1_000_000 and more < 40_000, f"{more} kB"


def test_metrics_and_measures(rng):
    x, y = rng.normal(size=(500, 2)), rng.normal(1.0, size=(500, 2))
    assert 1.2 < amf.metrics.w2(x, y) < 1.7 and amf.metrics.sliced_w2(x, y) > 0.7
    assert amf.metrics.mmd(x, y) > 5 * amf.metrics.mmd(x, rng.normal(size=(500, 2)))
    z = x[:, :1] * 0.8 + 0.6 * rng.normal(size=(500, 1))
    tc = amf.rbig.total_correlation(np.hstack([x[:, :1], z]))
    assert abs(tc.value + 0.5 * np.log(1 - 0.64)) < 0.15
    assert abs(amf.rbig.entropy(x).value - (1 + np.log(2 * np.pi))) < 0.2
    assert amf.rbig.kl_divergence(x, y).value > 0.5
    assert amf.rbig.mutual_information(x[:, :1], z).value > 0.3
    with pytest.raises(ValueError):
        amf.metrics.w2(x, y[:, :1])
