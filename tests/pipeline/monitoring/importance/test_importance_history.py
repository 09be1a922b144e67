"""Stored importance is reported by window, with its changes against the test rows of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.state import DAY_US, StoredImportance
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME, NOW, live_rows, make_monitor, production_package

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package


def window_rows(package: Package, start: int, *, reversed_feature: str = "") -> list[StoredImportance]:
    """Return the importance on test rows as that of a window; a negated one is a change beyond chance on any rows."""
    rows = []
    for name, sums in package.importance.loss.items():
        factor = -1 if name == reversed_feature else 1
        rows.append(StoredImportance("loss", start, name, sums.n_rows, factor * sums.total, sums.total_squares))
        rows.append(StoredImportance("contribution", start, name, sums.n_rows, 0.1 * sums.n_rows, 1.0))
    return rows


def test_a_report_has_each_window_and_the_changes_of_the_last(project: Path) -> None:
    package, _ = production_package(project)
    shares = make_monitor(project).evaluate_frame(live_rows(50))["importance"]["reference_shares"]
    first = max(shares, key=shares.__getitem__)
    state = store.open_state(project)
    with state.writing() as connection:
        store.add_importances(connection, MODEL_NAME, package.digest, window_rows(package, NOW - 3 * DAY_US))
        changed = window_rows(package, NOW - 2 * DAY_US, reversed_feature=first)
        store.add_importances(connection, MODEL_NAME, package.digest, changed)
        store.add_importances(connection, MODEL_NAME, "0" * 64, window_rows(package, NOW - DAY_US))
    state.close()
    report = make_monitor(project).generate_monitoring_report()["importance"]
    same, last = report["windows"]
    assert same["shares"] == report["reference_shares"]
    assert (same["changed_features"], last["changed_features"]) == ([], report["changed_features"])
    assert report["changed_features"] == [first]
    assert set(last["contributions"].values()) == {0.1}
