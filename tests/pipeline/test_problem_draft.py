"""A draft is accepted by the graph where that is possible, and its report names what was decided."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.data.sources import fetch_rows
from pipeline.problem_draft import DraftReport, draft_declaration
from pipeline.rows_check import check_rows
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.root_config import Config

N = 300
GENERATOR = np.random.default_rng(0)
BOUGHT = np.where(np.arange(N) % 3 == 0, "yes", "no")
ROWS: dict[str, Any] = {
    "visits": GENERATOR.integers(0, 40, N),
    "spent": GENERATOR.normal(400, 90, N).round(2),
    "plan": GENERATOR.choice(["basic", "plus", "pro"], N),
    "bought": BOUGHT,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def draft_of(root: Path, **columns: Any) -> tuple[DraftReport, Config]:
    pd.DataFrame(ROWS | columns).to_csv(root / "visits.csv", index=False)
    draft = draft_declaration([root / "visits.csv"], target="bought", root=root)
    return draft, build_config(compose(["data=visits"], conf=root / "conf").values, where="conf")


def with_labels(*replaced: tuple[slice, str | None]) -> dict[str, Any]:
    labels = BOUGHT.astype(object)
    for rows, label in replaced:
        labels[rows] = label
    return {"bought": labels}


CASES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "filled in after the outcome": (
        lambda: {"refund_day": np.where(BOUGHT == "yes", "7", "")},
        "refund_day: ignored: reveals the class: nearly all rows with a value, and nearly all rows without a value",
    ),
    "another word for the target": (lambda: {"state": np.where(BOUGHT == "yes", "won", "open")}, "state: ignored"),
    "labels missing": (
        lambda: with_labels((slice(0, 90), None)),
        "90 rows without a label set aside (target.unlabeled",
    ),
    "a rare label": (lambda: with_labels((slice(0, 4), "maybe")), "4 rows of 1 rare label set aside"),
    "constant": (lambda: {"always": 1}, "always: ignored: has a single value"),
    "1 % positives": (
        lambda: {"bought": np.where(np.arange(N) % 30 == 0, "yes", "no")},
        "yes has 3.3% of the rows (10): a model that never predicts it has an accuracy of 96.7%",
    ),
    "mostly missing": (
        lambda: {"last_call": np.where(np.arange(N) % 9 == 0, "12", "")},
        "values are missing in 1 feature: last_call (88.7%)",
    ),
    "copies": (lambda: {"visits": 7, "spent": 1 + np.arange(N) % 3}, "duplicates: 291 of 300 rows repeat"),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_of_a_draft_are_accepted_and_what_was_decided_is_reported(case: str, root: Path) -> None:
    draft, config = draft_of(root, **CASES[case][0]())
    assert any(CASES[case][1] in line for line in (*draft.assumptions, *draft.warnings)), draft
    assert draft.refusals == check_rows(fetch_rows(config.data, root=root).frame, config) == ()


def test_ordinary_rows_need_no_warning(root: Path) -> None:
    draft, _ = draft_of(root)
    assert (draft.features, draft.warnings) == (("visits", "spent", "plan"), ())
    assert draft.assumptions == ("the positive class is yes (target.positive)",)


def test_values_beyond_those_of_the_file_are_accepted(root: Path) -> None:
    _, config = draft_of(root)
    frame = fetch_rows(config.data, root=root).frame
    frame.loc[0, ["visits", "plan"]] = [10_000, "gold"]
    assert check_rows(frame, config) == ()


def test_classes_whose_rows_are_equal_are_split_by_class(root: Path) -> None:
    """by_hash keeps equal rows together, so a class of one distinct row is in one part only."""
    bought = BOUGHT.astype(object)
    bought[:20] = "maybe"
    changed = {name: np.where(np.arange(N) < 20, ROWS[name][0], ROWS[name]) for name in ("visits", "spent", "plan")}
    draft, config = draft_of(root, bought=bought, **changed)
    assert (draft.refusals, config.data.split.kind) == ((), "stratified")
    assert draft.assumptions[-1].endswith("(split.kind: stratified)")


def test_what_no_draft_can_answer_is_a_refusal_with_its_remedy(root: Path) -> None:
    draft, _ = draft_of(root, bought=np.where(np.arange(N) == 0, "yes", "no"))
    (refusal,) = draft.refusals
    assert refusal.startswith("split: classes with fewer than 2 rows cannot be in both parts: yes (1)")
    assert refusal.endswith("leave them out of target.classes and set target to `unlabeled: set_aside`")
