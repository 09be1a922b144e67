"""The card of a package lists its features and metrics, and names its serving form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import package
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path


def test_the_card_lists_every_feature_and_metric(folder: Path) -> None:
    loaded = package.load_package(folder)
    for column in loaded.schema.features:
        assert f"`{column.name}`" in loaded.card
    for name in loaded.metrics:
        assert f"| {name} |" in loaded.card
    assert "The serving form is `model.onnx`" in loaded.card


def test_the_card_gives_the_reason_for_a_missing_onnx_form(tmp_path: Path) -> None:
    manifest = write_small_package(tmp_path / "p", "personality", "model=svm", n_rows=400)
    loaded = package.load_package(tmp_path / "p")
    assert loaded.onnx_used is manifest.onnx.used
    if not manifest.onnx.used:
        assert "The serving form is scikit-learn" in loaded.card
        assert loaded.sklearn_classifier() is loaded
