"""The loop measures importance once for each window, when its outcomes can have arrived."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.row_importance import measure_row_importance
from pipeline.monitoring.importance import labeled_sample, record_importance
from pipeline.state import DAY_US, LoopContext
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    live_rows,
    make_monitor,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

UNTIL = (NOW - DAY_US) // DAY_US * DAY_US  # outcomes may arrive a day late
SINCE = UNTIL - DAY_US


@pytest.fixture
def context(project: Path) -> Iterator[LoopContext]:
    state = store.open_state(project)
    yield LoopContext(state, load_params(ROOT / "params.yaml"), project, now=NOW, mode="advise")
    state.close()


def log_labeled(project: Path, frame: pd.DataFrame, **options: object) -> None:
    ids = write_log(project, frame, start=SINCE, stop=UNTIL, **options)
    target = production_package(project)[0].schema.target.column
    write_outcomes(project, list(zip(ids, frame[target].astype(str), strict=True)))


def test_the_window_is_measured_once_and_equals_that_of_the_same_rows(context: LoopContext) -> None:
    frame = live_rows(300)
    log_labeled(context.root, frame)
    (first,), (second,) = record_importance(context), record_importance(context)
    assert (first.action, second.action) == ("record importance", "none")
    assert first.facts["n_rows"] == 300
    assert "measured already" in second.reason
    assert first.next_at == second.next_at == UNTIL + 2 * DAY_US
    (earlier,) = record_importance(replace(context, now=NOW - 3 * DAY_US))  # the clock was ahead, and is right again
    assert earlier.reason.startswith("0 labeled rows in the window")
    package, _ = production_package(context.root)
    codes = encode_target(frame, package.schema.target)
    expected = measure_row_importance(package.serving_classifier, frame, codes, seed=context.config.seed).loss
    (window,) = make_monitor(context.root).generate_monitoring_report()["importance"]["windows"]
    for name, share in window["shares"].items():
        # The log holds the rows in another order, so other values are redrawn.
        assert share == pytest.approx(expected[name].mean / sum(sums.mean for sums in expected.values()), abs=0.15)


def test_a_window_with_few_labeled_rows_is_not_measured(context: LoopContext) -> None:
    log_labeled(context.root, live_rows(30))
    (decision,) = record_importance(context)
    assert decision.action == "none"
    assert decision.reason.startswith("30 labeled rows in the window from ")
    assert decision.reason.endswith("; 200 are needed")
    with context.state.reading() as connection:
        assert store.read_importances(connection, MODEL_NAME, production_package(context.root)[0].digest) == []


def test_rows_are_drawn_in_proportion_to_their_weight(context: LoopContext) -> None:
    weights = [9.0] * 100 + [1.0] * 100
    log_labeled(context.root, live_rows(200), weights=weights)
    package, _ = production_package(context.root)
    options = context.config.monitoring.importance.model_copy(update={"max_rows": 60})
    config = context.config.model_copy(
        update={"monitoring": context.config.monitoring.model_copy(update={"importance": options})}
    )
    rows = labeled_sample(context.state, config, package, since=SINCE, until=UNTIL)
    assert rows == labeled_sample(context.state, config, package, since=SINCE, until=UNTIL)
    assert len(rows) == 60
    assert sum(row.weight == 9.0 for row in rows) > 40
    assert bool((np.diff([row.seq for row in rows]) > 0).all())
