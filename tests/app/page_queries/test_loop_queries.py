"""The overview of the loop has its runs, trials and retrains, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.page_queries import loop_queries
from tests.app.loop_history import add_loop_history

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("app")


def test_the_newest_is_first_and_retrains_of_a_day_are_counted(loop_trial: int, empty: Path) -> None:
    later = add_loop_history(empty, "iris_model", challenger=3)
    overview = loop_queries.loop_overview("iris_model")
    assert [trial.seq for trial in overview.trials] == [later.seq, loop_trial]
    assert (len(overview.runs), overview.n_retrains_today, overview.is_empty) == (2, 1, False)
