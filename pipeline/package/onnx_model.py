"""Run the ONNX file of an estimator."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["OnnxModel"]

_ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


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
