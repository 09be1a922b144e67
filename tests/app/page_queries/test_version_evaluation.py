"""An evaluation is read from the files of a project or of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.page_queries.version_evaluation import VersionEvaluation

if TYPE_CHECKING:
    from pathlib import Path


def test_report_curves_and_card_are_read_and_a_card_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "plots").mkdir()
    (tmp_path / "reports/evaluation.json").write_text(json.dumps({"package": "a"}), encoding="utf-8")
    (tmp_path / "plots/roc.csv").write_text("false_positive_rate,true_positive_rate\n0,1\n", encoding="utf-8")
    without_card = VersionEvaluation.read(tmp_path)
    assert (without_card.report, list(without_card.curves), without_card.card) == ({"package": "a"}, ["roc"], "")
    (tmp_path / "reports/model_card.md").write_text("# Card", encoding="utf-8")
    assert VersionEvaluation.read(tmp_path).card == "# Card"
