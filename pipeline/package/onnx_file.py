"""Convert a fitted estimator to one ONNX file that needs no scikit-learn."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.package.lightgbm_onnx import NotConvertible, convert_lightgbm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["NotConvertible", "convert_to_onnx"]

_OPSETS = {"": 18, "ai.onnx.ml": 3}
_INPUT_NAME = "rows"
# Their sums of many products would show float32 rounding after a steep calibration.
_FLOAT64_ESTIMATORS = frozenset({"GaussianNB", "MLPClassifier"})


def convert_to_onnx(estimator: Any, n_columns: int) -> bytes:
    """Return the ONNX file of `estimator`: float input `rows` [None, n_columns], output `probabilities`.

    Thresholds of trees are lowered to the next float32, which changes no decision on float32 rows:
    scikit-learn compares float32 values with float64 thresholds, ONNX both in float32.

    Raises
    ------
    NotConvertible
        When there is no converter for it, or the converter fails.
    """
    package = type(estimator).__module__.partition(".")[0]
    if package == "lightgbm":
        return convert_lightgbm(estimator, n_columns, input_name=_INPUT_NAME)
    if package in ("xgboost", "catboost"):
        raise NotConvertible(f"no converter supports {package}")
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    lowered = _with_float32_thresholds(estimator)
    is_wide = type(estimator).__name__ in _FLOAT64_ESTIMATORS
    kind = DoubleTensorType if is_wide else FloatTensorType
    options = {
        id(member): _converter_options(member) for member in _fitted_members(lowered) if _converter_options(member)
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = convert_sklearn(
                lowered,
                name="model",
                initial_types=[(_INPUT_NAME, kind([None, n_columns]))],
                target_opset=_OPSETS,
                options=options,
            )
    except Exception as error:  # a converter may fail in any way; the reason goes into the manifest
        first = str(error).strip().partition("\n")[0]
        raise NotConvertible(f"skl2onnx cannot convert {type(estimator).__name__}: {first[:200]}") from error
    return _deterministic_bytes(_with_float32_input(model) if is_wide else model)


def _converter_options(estimator: Any) -> dict[str, Any]:
    return {"zipmap": False} if hasattr(estimator, "predict_proba") else {}


def _with_float32_input(model: Any) -> Any:
    """Return a model of float64 input with a float32 input, which it casts first."""
    from onnx import TensorProto, helper

    for node in model.graph.node:
        for at, name in enumerate(node.input):
            if name == _INPUT_NAME:
                node.input[at] = f"{_INPUT_NAME}_wide"
    model.graph.node.insert(0, helper.make_node("Cast", [_INPUT_NAME], [f"{_INPUT_NAME}_wide"], to=TensorProto.DOUBLE))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def _deterministic_bytes(model: Any) -> bytes:
    """Return the bytes of a model without producer and time, which would differ between runs."""
    model.producer_name = "declarative-mlops"
    model.producer_version = ""
    model.doc_string = ""
    model.domain = ""
    model.graph.doc_string = ""
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)  # skl2onnx orders them by the hash seed
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return bytes(model.SerializeToString(deterministic=True))


def _with_float32_thresholds(estimator: Any) -> Any:
    lowered = copy.deepcopy(estimator)
    for member in _fitted_members(lowered):
        if type(member).__name__ == "VotingClassifier":
            member.flatten_transform = False  # the only form that skl2onnx converts; probabilities do not depend on it
        if hasattr(member, "tree_"):
            _round_down_to_float32(member.tree_.threshold)
        for predictor in _boosting_trees(member):
            _round_down_to_float32(predictor.nodes["num_threshold"])
    return lowered


def _round_down_to_float32(thresholds: NDArray[np.float64]) -> None:
    """Replace each threshold by the largest float32 that does not exceed it, in place."""
    nearest = thresholds.astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    nearest[above] = np.nextafter(nearest[above], np.float32(-np.inf))
    thresholds[...] = nearest


def _boosting_trees(estimator: Any) -> Iterator[Any]:
    for iteration in getattr(estimator, "_predictors", ()):
        yield from iteration


def _fitted_members(estimator: Any) -> Iterator[Any]:
    """Yield a fitted estimator and every fitted estimator inside of it."""
    yield estimator
    inside: list[Any] = []
    for name in ("estimators_", "calibrated_classifiers_"):
        members = getattr(estimator, name, ())
        inside.extend(np.ravel(members) if isinstance(members, np.ndarray) else members)
    for name in ("final_estimator_", "estimator_", "best_estimator_"):
        inside.extend([getattr(estimator, name)] if hasattr(estimator, name) else [])
    inside.extend(member for _, member in getattr(estimator, "steps", ()))
    if type(estimator).__name__ == "_CalibratedClassifier":
        inside.append(estimator.estimator)
    for member in inside:
        if not isinstance(member, str):
            yield from _fitted_members(member)
