"""A diff lists what differs between two versions, and what is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.metrics import MetricEstimate
from pipeline.package import load_package
from pipeline.state import ModelVersion
from pipeline.version_comparison import (
    EvaluationComparison,
    MetricComparison,
    VersionDetails,
    VersionDiff,
    diff_versions,
    version_rows,
)
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"seed": 42, "model.name": "knn"}


def test_versions_are_listed_row_by_row() -> None:
    tags = {"model": "knn", "metrics": {"log_loss": 0.2}, "gates": {"verdict": "promote"}}
    rows = version_rows([ModelVersion("m", 3, "0" * 64, "1.0.0", "None", "", tags, 0)])
    assert rows == [
        {"version": 3, "semver": "1.0.0", "stage": "None", "gates": "promote", "model": "knn", "log_loss": 0.2}
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    for name, lineage in {
        "known": {"settings": SETTINGS},
        "changed": {"settings": {**SETTINGS, "seed": 7}},
        "unknown": {},
    }.items():
        write_small_package(folder / name, "personality", "model=naive_bayes", n_rows=400, lineage=lineage)
    return folder


def diff(folder: Path, old: str, new: str) -> VersionDiff:
    details = []
    for number, (name, result) in enumerate(((old, "pass"), (new, "fail")), 1):
        package = load_package(folder / name)
        gates = {"gates": [{"name": "limit ece", "result": result, "reason": "0.02"}]}
        version = ModelVersion("m", number, package.digest, "1.0.0", "None", "", {"gates": gates}, 0)
        details.append(VersionDetails(version, package))
    first, second, difference = (
        MetricEstimate(0.2, 0.1, 0.3),
        MetricEstimate(0.5, 0.4, 0.6),
        MetricEstimate(0.3, 0.2, 0.4),
    )
    metric = MetricComparison("log_loss", first, second, difference, is_paired=True)
    return diff_versions(details[0], details[1], EvaluationComparison(1, 2, "log_loss", 0.95, (metric,), n_rows=100))


def test_settings_come_from_the_packages(folder: Path) -> None:
    compared = diff(folder, "known", "changed")
    assert [(item.name, item.old, item.new) for item in compared.settings] == [("seed", 42, 7)]
    assert "  setting   seed: 42 -> 7" in compared.as_text()


@pytest.mark.parametrize(
    ("old", "new", "unknown"), [("known", "unknown", (2,)), ("unknown", "known", (1,)), ("unknown", "unknown", ())]
)
def test_unknown_settings_are_not_compared(folder: Path, old: str, new: str, unknown: tuple[int, ...]) -> None:
    compared = diff(folder, old, new)
    assert (compared.settings, compared.unknown_settings) == ((), unknown)
    assert ("the package of version" in compared.as_text()) is bool(unknown)


def test_the_text_has_a_table_of_metrics_gates_and_the_verdict(folder: Path) -> None:
    lines = diff(folder, "known", "changed").as_text().splitlines()
    assert "  gate      limit ece: pass -> fail" in lines
    assert ["Log", "loss", "0.2000", "0.5000", "+0.3000", "+0.2000", "to", "+0.4000", "worse"] in [
        line.split() for line in lines
    ]
    assert lines[-2].startswith("Version 2 is significantly worse than version 1: log loss +0.3000")


def test_plain_values_have_the_verdict_and_all_gates(folder: Path) -> None:
    values = diff(folder, "known", "changed").as_dict()
    assert values["evaluation"]["verdict"] == "worse"
    assert [(gate["name"], gate["first"], gate["second"]) for gate in values["gates"]] == [
        ("limit ece", "pass", "fail")
    ]
