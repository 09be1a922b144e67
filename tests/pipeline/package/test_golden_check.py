"""A loaded package predicts its golden rows as it did when it was written, or is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import GOLDEN_TOLERANCE, load_package
from pipeline.package.golden_check import check_golden

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def shift(golden: dict[str, Any]) -> None:
    golden["probabilities"][3][0] += 2 * GOLDEN_TOLERANCE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shift, "row 3: the prediction differs"),
        (lambda golden: golden["probabilities"].pop(), "predictions are stored for"),
        (lambda golden: golden.pop("columns"), "not what a package writes"),
    ],
    ids=["another probability", "a missing row", "no columns"],
)
def test_other_golden_rows_are_refused(folder: Path, change: Callable[[Any], object], message: str) -> None:
    classifier = load_package(folder).serving_classifier
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    check_golden(golden, classifier.predict_proba)
    change(golden)
    with pytest.raises(IntegrityError, match=message):
        check_golden(golden, classifier.predict_proba)
