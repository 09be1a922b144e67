"""Measure the complexity of a fitted estimator, so that the simpler one of equally good models can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["estimator_complexity"]


def estimator_complexity(estimator: Any) -> float | None:
    """Return the number of leaves of trees, of stored rows, or of weights of a network; 1 for a linear model.

    That of an ensemble is the sum over its members.

    Parameters
    ----------
    estimator : Any
        Fitted, of an allow-listed package.

    Returns
    -------
    float or None
        None for an estimator of an unknown kind.
    """
    members = list(_members(estimator))
    if members:
        sizes = [estimator_complexity(member) for member in members]
        return None if None in sizes else float(sum(size for size in sizes if size is not None))
    size = next((size for attribute, size in _SIZES.items() if hasattr(estimator, attribute)), None)
    return None if size is None else float(size(estimator))


def _members(estimator: Any) -> Iterator[Any]:
    """Yield the fitted estimators inside of an ensemble or of a wrapper."""
    inside = [getattr(estimator, name, ()) for name in ("estimators_", "calibrated_classifiers_")]
    members = [member for group in inside for member in (group.ravel() if isinstance(group, np.ndarray) else group)]
    wrapped = ["final_estimator_"] if members else ["estimator"]  # with members, `estimator` is their template
    members += [getattr(estimator, name) for name in wrapped if hasattr(getattr(estimator, name, None), "classes_")]
    yield from members
    if hasattr(estimator, "steps"):
        yield estimator.steps[-1][1]


def _n_stored_leaves(estimator: Any) -> int:
    """Return the leaves of histogram boosting, which has no public attribute for them."""
    return sum(int(tree.nodes["is_leaf"].sum()) for trees in estimator._predictors for tree in trees)  # noqa: SLF001


def _n_lightgbm_leaves(estimator: Any) -> int:
    return sum(int(tree["num_leaves"]) for tree in estimator.booster_.dump_model()["tree_info"])


def _n_xgboost_leaves(estimator: Any) -> int:
    return int((estimator.get_booster().trees_to_dataframe()["Feature"] == "Leaf").sum())


def _n_weights(estimator: Any) -> int:
    return sum(int(weights.size) for weights in (*estimator.coefs_, *estimator.intercepts_))


# By an attribute that only such estimators have; the first that an estimator has decides.
_SIZES: dict[str, Callable[[Any], int]] = {
    "_predictors": _n_stored_leaves,
    "get_n_leaves": lambda tree: int(tree.get_n_leaves()),
    "booster_": _n_lightgbm_leaves,
    "get_booster": _n_xgboost_leaves,
    "get_leaf_values": lambda boosted: len(boosted.get_leaf_values()),  # CatBoost
    "coefs_": _n_weights,
    "support_vectors_": lambda machine: len(machine.support_vectors_),
    "n_samples_fit_": lambda neighbors: int(neighbors.n_samples_fit_),
    "coef_": lambda _linear: 1,
    "class_prior_": lambda _bayes: 1,
    "class_log_prior_": lambda _bayes: 1,
}
