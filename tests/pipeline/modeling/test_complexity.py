"""The complexity of an estimator is what its own library counts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from pipeline.modeling.complexity import estimator_complexity

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + 0.5 * RNG.normal(size=120) > 0).astype(int)
STUMP = DecisionTreeClassifier(max_depth=1, random_state=0)


@pytest.mark.parametrize(
    ("estimator", "size"),
    [
        (LogisticRegression(), 1),
        (GaussianNB(), 1),
        (STUMP, 2),
        (RandomForestClassifier(4, max_depth=1, random_state=0), 8),
        (GradientBoostingClassifier(n_estimators=5, max_depth=1, random_state=0), 10),
        (HistGradientBoostingClassifier(max_iter=6, max_leaf_nodes=2, min_samples_leaf=5), 12),
        (KNeighborsClassifier(3), 120),
        (MLPClassifier((4,), max_iter=2000, tol=1e-2, random_state=0), 3 * 4 + 4 + 4 + 1),
        (VotingClassifier([("a", STUMP), ("b", LogisticRegression())], voting="soft"), 3),
        (StackingClassifier([("a", STUMP), ("b", STUMP)], LogisticRegression(), cv=2), 5),
        (CalibratedClassifierCV(STUMP, cv=3), 6),
        (make_pipeline(StandardScaler(), STUMP), 2),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_the_size_of_an_estimator(estimator: object, size: int) -> None:
    assert estimator_complexity(estimator.fit(X, Y)) == size


def test_a_machine_has_the_size_of_its_support_vectors() -> None:
    machine = SVC(random_state=0).fit(X, Y)
    assert estimator_complexity(machine) == machine.n_support_.sum()


@pytest.mark.parametrize(
    ("package", "name", "arguments"),
    [
        ("lightgbm", "LGBMClassifier", {"n_estimators": 5, "num_leaves": 2, "verbose": -1}),
        ("xgboost", "XGBClassifier", {"n_estimators": 5, "max_depth": 1}),
        ("catboost", "CatBoostClassifier", {"n_estimators": 5, "depth": 1, "verbose": 0, "allow_writing_files": False}),
    ],
)
def test_boosted_trees_of_other_packages_have_their_leaves(package: str, name: str, arguments: dict) -> None:
    library = pytest.importorskip(package)
    assert estimator_complexity(getattr(library, name)(**arguments).fit(X, Y)) == 10


def test_an_estimator_of_an_unknown_kind_has_no_size() -> None:
    assert estimator_complexity(object()) is None
    assert estimator_complexity(VotingClassifier([("a", STUMP), ("b", "drop")]).fit(X, Y)) == 2
