"""Write LightGBM's trees as one ONNX tree ensemble, which skl2onnx does not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["NotConvertible", "convert_lightgbm"]


class NotConvertible(Exception):
    """Raised when an estimator has no ONNX form; the message holds the reason."""


@dataclass(slots=True)
class _TreeEnsemble:
    """Attributes of an ONNX tree ensemble, one entry for each node or leaf weight."""

    nodes: dict[str, list[Any]] = field(
        default_factory=lambda: {
            name: []
            for name in (
                "treeids",
                "nodeids",
                "featureids",
                "modes",
                "values",
                "truenodeids",
                "falsenodeids",
                "missing_value_tracks_true",
            )
        }
    )
    weights: dict[str, list[Any]] = field(
        default_factory=lambda: {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    )

    def add(self, tree: int, node: dict[str, Any], score: int, numbers: list[int]) -> int:
        """Add a node and all nodes below it; return its number."""
        number = numbers[0]
        numbers[0] += 1
        at = len(self.nodes["nodeids"])
        is_leaf = "leaf_value" in node
        row = (tree, number, 0, "LEAF", 0.0, 0, 0, 0) if is_leaf else self._branch(tree, number, node)
        for column, value in zip(self.nodes.values(), row, strict=True):
            column.append(value)
        if is_leaf:
            for column, value in zip(self.weights.values(), (tree, number, score, node["leaf_value"]), strict=True):
                column.append(value)
            return number
        self.nodes["truenodeids"][at] = self.add(tree, node["left_child"], score, numbers)
        self.nodes["falsenodeids"][at] = self.add(tree, node["right_child"], score, numbers)
        return number

    @staticmethod
    def _branch(tree: int, number: int, node: dict[str, Any]) -> tuple[Any, ...]:
        if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
            raise NotConvertible(
                "LightGBM splits by categories or takes zero for missing, which ONNX trees do not support"
            )
        threshold = float(node["threshold"])
        goes_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0.0
        return (
            tree,
            number,
            node["split_feature"],
            "BRANCH_LEQ",
            _round_down_to_float32(threshold),
            0,
            0,
            int(goes_left),
        )


def convert_lightgbm(estimator: Any, n_columns: int, *, input_name: str) -> bytes:
    """Return the ONNX file of a fitted LGBMClassifier.

    Raises
    ------
    NotConvertible
        When its objective or one of its splits has no ONNX form.
    """
    from onnx import TensorProto, helper

    dump = estimator.booster_.dump_model()
    n_classes = len(estimator.classes_)
    objective = dump["objective"].split()[0]
    if objective not in ("binary", "multiclass"):
        raise NotConvertible(f"no converter supports the LightGBM objective {objective}")
    per_round = dump["num_tree_per_iteration"]
    trees = _TreeEnsemble()
    for at, tree in enumerate(dump["tree_info"]):
        trees.add(at, tree["tree_structure"], at % per_round, [0])
    attributes: dict[str, Any] = {f"nodes_{name}": values for name, values in trees.nodes.items()}
    attributes |= {f"class_{name}": values for name, values in trees.weights.items()}
    node = helper.make_node(
        "TreeEnsembleClassifier",
        [input_name],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        classlabels_int64s=list(range(n_classes)),
        post_transform="LOGISTIC" if objective == "binary" else "SOFTMAX",
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "model",
        [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, [None, n_columns])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, n_classes]),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="declarative-mlops")
    return bytes(model.SerializeToString(deterministic=True))


def _round_down_to_float32(threshold: float) -> float:
    """Return the largest float32 that does not exceed `threshold`."""
    nearest = np.float32(np.clip(threshold, -np.finfo(np.float32).max, np.finfo(np.float32).max))
    if float(nearest) > threshold:
        nearest = np.nextafter(nearest, np.float32(-np.inf))
    return float(nearest)
