"""The scikit-learn estimator."""

import warnings

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import amf


def test_scikit_learn_s_checks_pass():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(amf.AdaptiveMixture(config=amf.QUICK, random_state=1))


def test_settings_can_be_searched(rng):
    x = rng.gamma(2.0, size=(300, 2))
    few = amf.QUICK.replace("most: 25", "most: 1")
    search = GridSearchCV(amf.AdaptiveMixture(random_state=1), {"config": [few, amf.QUICK]}, cv=3).fit(x)
    assert search.best_params_["config"] == amf.QUICK
    pipeline = make_pipeline(StandardScaler(), amf.AdaptiveMixture(config=amf.QUICK, random_state=1)).fit(x)
    assert pipeline.score_samples(x).shape == (300,)
    assert search.best_estimator_.sample(5, random_state=1).shape == (5, 2)


def test_few_rows_give_a_normal_with_a_warning(rng):
    with pytest.warns(UserWarning, match="too few"):
        model = amf.AdaptiveMixture().fit(rng.normal(size=(10, 3)))
    assert model.sample(4, random_state=1).shape == (4, 3)
