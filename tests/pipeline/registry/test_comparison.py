"""Versions are compared by rows and by differences."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.registry import ModelRegistry


def test_versions_are_compared_row_by_row(three: ModelRegistry) -> None:
    rows = three.compare(NAME)
    assert [(row["version"], row["semver"], row["model"]) for row in rows] == [
        (1, "1.0.0", "logistic_regression"),
        (2, "1.0.1", "logistic_regression"),
        (3, "1.1.0", "naive_bayes"),
    ]
    assert [row["log_loss"] for row in three.compare(NAME, [3, 1])] == [rows[2]["log_loss"], rows[0]["log_loss"]]


def test_a_diff_has_properties_and_metrics_with_their_direction(three: ModelRegistry) -> None:
    there, back = three.diff(NAME, 1, 3), three.diff(NAME, 3, 1)
    assert ("model", "logistic_regression", "naive_bayes") in [
        (difference.name, difference.old, difference.new) for difference in there.properties
    ]
    (loss,) = [difference for difference in there.metrics if difference.name == "log_loss"]
    (reverse,) = [difference for difference in back.metrics if difference.name == "log_loss"]
    assert (loss.old, loss.new) == (reverse.new, reverse.old)
    better = "better" if loss.new < loss.old else "worse"
    assert f"{loss} ({better})" in there.as_text()
    assert three.diff(NAME, 1, 1).as_text() == "version 1 -> version 1\n  no differences"


@contextmanager
def counted_connections() -> Iterator[list[object]]:
    """Yield a list that grows with each connection to any database."""
    connections: list[object] = []

    def count(connection: object) -> None:
        connections.append(connection)

    event.listen(Engine, "engine_connect", count)
    try:
        yield connections
    finally:
        event.remove(Engine, "engine_connect", count)


def test_a_diff_and_a_comparison_open_the_database_as_often_as_one_lookup(three: ModelRegistry) -> None:
    with counted_connections() as for_one:
        three.get_version(NAME, 1)
    with counted_connections() as for_diff:
        three.diff(NAME, 1, 3)
    with counted_connections() as for_comparison:
        three.compare(NAME, [1, 2, 3])
    assert len(for_one) > 0
    assert (len(for_diff), len(for_comparison)) == (len(for_one), len(for_one))
