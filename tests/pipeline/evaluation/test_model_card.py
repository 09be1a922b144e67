"""The model card has its sections in order, and its values are those of the report."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.evaluation import model_card
from pipeline.evaluation.slices import SliceReport, SmallSlice
from pipeline.text import percent

if TYPE_CHECKING:
    from tests.pipeline.evaluation.conftest import PackagedProblem

SECTIONS = [
    "Performance",
    "Baselines",
    "Confusion matrix",
    "Weakest slices",
    "Fairness",
    "Feature importance",
    "Features",
    "Training",
    "Caveats",
]


@pytest.mark.parametrize("kind", ["binary", "three_classes"])
def test_a_card_has_all_sections_in_order(kind: str, request: pytest.FixtureRequest) -> None:
    problem: PackagedProblem = request.getfixturevalue(kind)
    card = model_card(problem.report, problem.config)
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == SECTIONS
    assert all(f"`{name}`" in card for name in problem.package.classes)


def test_the_headline_metrics_are_those_of_the_report(binary: PackagedProblem) -> None:
    card = model_card(binary.report, binary.config)
    accuracy = binary.report.metrics["accuracy"].value
    assert f"**{percent(accuracy)} of the predictions are correct**" in card
    assert f"**{binary.report.metrics['log_loss'].value:.4f}**" in card


def test_all_rows_of_a_table_have_equally_many_cells(three_classes: PackagedProblem) -> None:
    lines = model_card(three_classes.report, three_classes.config).splitlines()
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", line))


def test_the_threshold_is_named_for_two_classes_only(binary: PackagedProblem, three_classes: PackagedProblem) -> None:
    assert "is predicted as `yes` from a probability of 0.5 on" in model_card(binary.report, binary.config)
    assert "from a probability" not in model_card(three_classes.report, three_classes.config)


def test_few_rows_and_synthetic_rows_are_caveats(binary: PackagedProblem) -> None:
    card = model_card(binary.report, binary.config)
    assert "The test part has only 300 rows" in card
    assert "**synthetic**" in card


def test_a_baseline_that_wins_is_not_hidden(binary: PackagedProblem) -> None:
    majority = binary.report.baselines["majority"]
    difference = majority.difference["log_loss"]
    flipped = replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)
    winning = replace(majority, difference={**majority.difference, "log_loss": flipped})
    report = replace(binary.report, baselines={"majority": winning})
    assert re.search(r"\| majority .* \| worse \|", model_card(report, binary.config))


def test_values_of_the_data_cannot_break_the_tables(binary: PackagedProblem) -> None:
    worst = replace(binary.report.slices.evaluated[0], value="a|b\nc")
    card = model_card(replace(binary.report, slices=SliceReport((worst,), too_small=())), binary.config)
    assert "| a\\|b c |" in card


def test_slices_that_are_too_small_are_counted(binary: PackagedProblem) -> None:
    slices = SliceReport(evaluated=(), too_small=(SmallSlice("a", "b", 3),))
    card = model_card(replace(binary.report, slices=slices), binary.config)
    assert "1 slices have fewer than 50 rows and were not evaluated." in card
    assert "clearly worse" not in card
