"""The card says what a reviewer asks, and holds no more than the report does."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.evaluation import model_card
from pipeline.text import percent

if TYPE_CHECKING:
    from tests.pipeline.evaluation.conftest import PackagedProblem

SECTIONS = [
    "How good it is",
    "What it has to beat",
    "Its mistakes",
    "Where it is weakest",
    "What it looks at",
    "What goes in",
    "How it was made",
    "What to be careful about",
]


@pytest.mark.parametrize("kind", ["binary", "three_classes"])
def test_a_card_answers_the_questions_in_order(kind: str, request: pytest.FixtureRequest) -> None:
    problem: PackagedProblem = request.getfixturevalue(kind)
    card = model_card(problem.report, problem.config)
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == SECTIONS
    assert all(f"`{name}`" in card for name in problem.package.classes)


def test_the_headline_is_the_figure_of_the_report(binary: PackagedProblem) -> None:
    card = model_card(binary.report, binary.config)
    accuracy = binary.report.metrics["accuracy"].value
    assert f"**{percent(accuracy)} of the predictions are right**" in card
    assert f"**{binary.report.metrics['log_loss'].value:.4f}**" in card


def test_every_table_has_as_many_cells_in_each_row(three_classes: PackagedProblem) -> None:
    lines = model_card(three_classes.report, three_classes.config).splitlines()
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", above)) == len(re.findall(r"(?<!\\)\|", line))


def test_the_threshold_is_named_for_two_classes_only(binary: PackagedProblem, three_classes: PackagedProblem) -> None:
    assert "is called `yes` from a probability of 0.5 on" in model_card(binary.report, binary.config)
    assert "from a probability" not in model_card(three_classes.report, three_classes.config)


def test_few_rows_and_synthetic_rows_are_admitted(binary: PackagedProblem) -> None:
    card = model_card(binary.report, binary.config)
    assert "Only 300 rows judge it" in card
    assert "**synthetic**" in card


def test_a_baseline_that_wins_is_not_hidden(binary: PackagedProblem) -> None:
    majority = binary.report.baselines["majority"]
    difference = majority.difference["log_loss"]
    flipped = replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)
    lost = replace(majority, difference={**majority.difference, "log_loss": flipped})
    report = replace(binary.report, baselines={"majority": lost})
    assert re.search(r"\| majority .* \| worse \|", model_card(report, binary.config))


def test_words_from_outside_cannot_break_the_tables(binary: PackagedProblem) -> None:
    worst = replace(binary.report.slices[0], value="a|b\nc")
    card = model_card(replace(binary.report, slices=[worst]), binary.config)
    assert "| a\\|b c |" in card


def test_parts_that_were_too_small_are_counted(binary: PackagedProblem) -> None:
    card = model_card(replace(binary.report, slices=[], too_small=[("a", "b", 3)]), binary.config)
    assert "1 parts have fewer than 50 rows and were not judged." in card
    assert "clearly worse" not in card
