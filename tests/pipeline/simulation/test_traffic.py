"""Outcomes flip by rows and by callers as a phase declares."""

from __future__ import annotations

import json

import pytest

from pipeline.config.groups.scenario_config import OutcomesConfig, PhaseConfig
from pipeline.errors import ConfigError
from pipeline.simulation.traffic import RowPool, SimulatedRequest, generate_requests
from tests.fixtures.toy_dataset import rows, schema

POOL = RowPool(rows(400).drop(columns=["answer", "row"]), ["yes"] * 400, schema())


def generate(n_callers: int = 1, **phase: object) -> list[SimulatedRequest]:
    """Return requests whose outcomes are `yes` unless they flip."""
    outcomes = OutcomesConfig(share=1.0, delay_s=0, duplicate_share=0.0, conflicting_share=0.0, n_callers=n_callers)
    declared = PhaseConfig.model_validate({"name": "flipped", "seconds": 1, "flipped_outcome_share": 1.0, **phase})
    return list(generate_requests(POOL, declared, outcomes, n_rows=2_000, rows_per_request=5, seed=[1]))


def flipped_rows(requests: list[SimulatedRequest]) -> list[tuple[dict[str, object], bool]]:
    """Return each row with whether its outcome flipped."""
    return [
        (row, delayed.outcomes == ("no",))
        for request in requests
        for row, delayed in zip(json.loads(request.body)["instances"], request.delayed_outcomes, strict=True)
    ]


@pytest.mark.parametrize("word", ["red", "word 2"])
def test_only_rows_with_the_category_flip(word: str) -> None:
    flipped = flipped_rows(generate(flipped_outcome_where={"column": "words 1", "word": word}))
    assert {(row["colour"] == "red", is_flipped) for row, is_flipped in flipped} == {(True, True), (False, False)}


def test_only_numbers_above_the_quantile_flip_and_missing_ones_do_not() -> None:
    # JSON has ten digits, so the row at the limit may be above it.
    limit = float(POOL.rows["size"].dropna().astype("float64").quantile(0.75)) + 1e-8
    flipped = flipped_rows(generate(flipped_outcome_where={"column": "size", "above": 0.75}))
    expected = {
        (row["size"] is not None and float(str(row["size"])) > limit, is_flipped) for row, is_flipped in flipped
    }
    assert expected == {(True, True), (False, False)}


def test_only_the_first_callers_flip_and_all_send_alike_many() -> None:
    requests = generate(n_callers=4, flipped_outcome_callers=1)
    by_caller = {
        caller: {is_flipped for _, is_flipped in flipped_rows([r for r in requests if r.caller == caller])}
        for caller in range(4)
    }
    counts = [sum(request.caller == caller for request in requests) for caller in range(4)]
    assert by_caller == {0: {True}, 1: {False}, 2: {False}, 3: {False}}
    assert max(counts) - min(counts) <= 25


def test_a_quantile_of_words_is_refused() -> None:
    with pytest.raises(ConfigError, match="above: colour is not numeric; set `word`"):
        generate(flipped_outcome_where={"column": "colour", "above": 0.5})
