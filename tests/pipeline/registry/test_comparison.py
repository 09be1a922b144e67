"""Versions are compared by rows and by differences."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipeline import files
from pipeline.package import load_package
from pipeline.registry.comparison import VersionDetails, diff_versions
from pipeline.state import ModelVersion
from tests.fixtures.small_packages import parts, write_small_package
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.package import Package
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
    assert f"{loss} (not compared)" in there.as_text()
    assert three.diff(NAME, 1, 1).as_text() == "version 1 -> version 1\n  no differences"


@pytest.fixture(scope="module")
def rows_and_packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Package]]:
    """A file of test rows, and packages that were trained beside it; `equal` differs from `good` by its data only."""
    folder = tmp_path_factory.mktemp("compared")
    test_rows = folder / "test.parquet"
    files.write_parquet(test_rows, parts("personality", 1500).test)
    packages = {}
    models = {"good": (), "near": ("model.estimator.C=0.9",), "bad": ("model.estimator.C=0.0001",)}
    for name, overrides in models.items():
        lineage = {"data_sha256": {"test": files.sha256_file(test_rows)}}
        settings = ("model=logistic_regression", *overrides)
        write_small_package(folder / name, "personality", *settings, n_rows=1500, lineage=lineage)
        packages[name] = load_package(folder / name)
    return test_rows, packages


def details(package: Package, number: int) -> VersionDetails:
    version = ModelVersion("m", number, package.digest, "1.0.0", "None", "", {}, 0)
    return VersionDetails(version, package, None, {})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("good", "near", {"no significant difference"}), ("good", "bad", {"worse"}), ("bad", "good", {"better"})],
)
def test_a_diff_calls_better_or_worse_what_the_test_rows_show(
    rows_and_packages: tuple[Path, dict[str, Package]], old: str, new: str, expected: set[str]
) -> None:
    test_rows, packages = rows_and_packages
    diff = diff_versions(details(packages[old], 1), details(packages[new], 2), test_rows=test_rows)
    assert {diff.verdict("log_loss")} == expected
    assert f"({diff.verdict('log_loss')}: " in diff.as_text()
    assert {diff.verdict(name) for name in ("accuracy", "f1_macro")} <= {*expected, "no significant difference"}
    assert diff.as_dict()["test_differences"]["log_loss"]["verdict"] == diff.verdict("log_loss")


SETTINGS = {"seed": 42, "model.name": "knn"}


@pytest.mark.parametrize(
    ("old", "new", "unknown"), [(SETTINGS, {}, (2,)), ({}, SETTINGS, (1,)), ({}, {}, (1, 2)), (SETTINGS, SETTINGS, ())]
)
def test_unknown_settings_are_not_compared(
    rows_and_packages: tuple[Path, dict[str, Package]],
    old: dict[str, object],
    new: dict[str, object],
    unknown: tuple[int, ...],
) -> None:
    test_rows, packages = rows_and_packages
    before, after = (
        replace(details(packages[name], number), settings=settings)
        for name, number, settings in (("good", 1, old), ("near", 2, new))
    )
    diff = diff_versions(before, after, test_rows=test_rows)
    assert (diff.settings, diff.unknown_settings) == ((), unknown)
    assert ("no commit holds the settings of version" in diff.as_text()) is bool(unknown)


def test_a_diff_of_versions_with_other_test_rows_compares_nothing(
    rows_and_packages: tuple[Path, dict[str, Package]], tmp_path: Path
) -> None:
    test_rows, packages = rows_and_packages
    other = tmp_path / "test.parquet"
    files.write_parquet(other, files.read_parquet(test_rows).head(100))
    diff = diff_versions(details(packages["good"], 1), details(packages["bad"], 2), test_rows=other)
    assert diff.verdict("log_loss") == "not compared"
    assert "(better" not in diff.as_text()
    assert "(worse" not in diff.as_text()


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
