"""Each finding that stops the training names its own remedy; `tests/pipeline/test_rows_check.py` applies them."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.schema import Column, Schema
from pipeline.validation import refusal_lines, validate_rows
from tests.pipeline.validation.validation_samples import LIMITS, TARGET

SCHEMA = Schema(
    "made", tuple(Column(f"c{number}", "integer", "Int64", checks={"le": 5}) for number in range(25)), TARGET
)
FRAME = pd.DataFrame({f"c{number}": [1, 9, 3, 4] for number in range(25)}).assign(outcome=["no", "yes"] * 2)


def refusals(frame: pd.DataFrame, *, quarantine: bool = False) -> tuple[str, ...]:
    config = LIMITS.model_copy(update={"quarantine": quarantine})
    return refusal_lines(validate_rows(frame, SCHEMA, config), SCHEMA, config)


def test_the_first_twenty_are_listed() -> None:
    lines = refusals(FRAME)
    assert (len(lines), lines[-1]) == (21, "and 5 more")


def test_sound_rows_have_none() -> None:
    assert refusals(FRAME.replace(9, 2)) == ()


@pytest.mark.parametrize(
    ("quarantine", "settings"),
    [
        (False, "validation.quarantine=true validation.rules.schema.critical=null"),
        (True, "validation.rules.schema.critical=null"),
    ],
)
def test_only_settings_that_are_not_set_yet_are_named(quarantine: bool, settings: str) -> None:
    assert refusals(FRAME, quarantine=quarantine)[0].endswith(f"quarantine these rows with {settings}")


def test_a_column_that_cannot_be_read_has_no_setting_that_helps() -> None:
    lines = refusals(FRAME.replace(9, 2).drop(columns="c3"))
    assert [line for line in lines if "c3" in line and "=" in line] == []
