"""Convert a fitted estimator to one ONNX file that needs no scikit-learn, and run it."""

from __future__ import annotations

import copy
import importlib.util
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError
from pipeline.package.lightgbm_onnx import NotConvertible, convert_lightgbm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["NotConvertible", "OnnxModel", "convert_to_onnx"]

_OPSETS = {"": 18, "ai.onnx.ml": 3}
_ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
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


class OnnxModel:
    """A converted estimator in onnxruntime on one thread; loading it reads no other file.

    Parameters
    ----------
    data : bytes
        The ONNX file.
    classes : sequence of int
        Codes of the classes of the estimator, in the order of its probabilities.

    Raises
    ------
    IntegrityError
        When the bytes are no ONNX model, refer to external tensors, or use custom operators.
    """

    takes_float32 = True

    def __init__(self, data: bytes, classes: Sequence[int]) -> None:
        _check_model(data)
        self._data = data
        self.classes_ = np.asarray(classes, dtype=np.int64)
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            (self._input,) = [node.name for node in self._session.get_inputs()]
            self._output = self._session.get_outputs()[-1].name
        except Exception as error:  # onnxruntime raises its own classes
            raise IntegrityError(f"model.onnx: cannot be loaded ({error})") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a copy in another process is built from: a session cannot be pickled."""
        return OnnxModel, (self._data, self.classes_.tolist())

    def predict_proba(self, matrix: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, shape (n_rows, len(classes_)); a row gets the same bits alone as among others."""
        if len(matrix) == 0:
            return np.empty((0, len(self.classes_)))
        # A single row would be multiplied by another kernel, whose sums differ in the last bit.
        rows = np.repeat(matrix, 2, axis=0) if len(matrix) == 1 else matrix
        (probabilities,) = self._session.run([self._output], {self._input: rows.astype(np.float32, copy=False)})
        wide = np.asarray(probabilities, dtype=np.float64)[: len(matrix)]
        return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _check_model(data: bytes) -> None:
    messages = _onnx_protobuf()
    try:
        model = messages.ModelProto.FromString(data)
    except Exception as error:  # protobuf raises its own classes
        raise IntegrityError(f"model.onnx: not an ONNX model ({error})") from error
    if len(model.functions) or any(item.domain not in _ALLOWED_DOMAINS for item in model.opset_import):
        raise IntegrityError("model.onnx: uses custom operators")
    tensors = [*model.graph.initializer, *(a.t for node in model.graph.node for a in node.attribute)]
    if any(item.data_location == messages.TensorProto.EXTERNAL or len(item.external_data) for item in tensors):
        raise IntegrityError("model.onnx: refers to tensors in another file; a package must be self-contained")


@cache
def _onnx_protobuf() -> Any:
    """Return the protobuf messages of ONNX; importing the rest of its package would cost a server 9 MB."""
    package = importlib.util.find_spec("onnx")
    place = Path(str(None if package is None else package.origin)).with_name("onnx_ml_pb2.py")
    types = importlib.util.spec_from_file_location("onnx_ml_pb2", place)
    if types is None or types.loader is None or not place.exists():
        raise ModuleNotFoundError(
            f"{place}: the installation of onnx is incomplete; run `pip install onnx` again", name="onnx"
        )
    module = importlib.util.module_from_spec(types)
    types.loader.exec_module(module)
    return module
