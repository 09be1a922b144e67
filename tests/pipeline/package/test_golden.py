"""Golden rows cover the range of scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_golden_rows_are_spread_over_the_scores(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    scores = [row[1] for row in golden["probabilities"][:8]]
    assert len(scores) == 8
    assert max(scores) - min(scores) > 0.7
