from __future__ import annotations

import json

import pandas as pd

from pipeline.schema import Column, Schema
from pipeline.validation import validate_rows
from tests.pipeline.validation.validation_samples import LIMITS, TARGET

SCHEMA = Schema(
    "made", tuple(Column(f"c{number}", "integer", "Int64", checks={"le": 5}) for number in range(25)), TARGET
)
FRAME = pd.DataFrame({f"c{number}": [1, 9, 3, 4] for number in range(25)}).assign(outcome=["no", "yes"] * 2, other=0)


def test_plain_values_are_json_and_name_each_result() -> None:
    plain = json.loads(json.dumps(validate_rows(FRAME, SCHEMA, LIMITS).as_dict(), allow_nan=False))
    assert (plain["rows"], plain["level"], plain["is_valid"]) == (4, "critical", False)
    assert plain["undeclared_columns"] == ["other"]
    assert plain["class_balance"] == {"no": {"rows": 2, "share": 0.5}, "yes": {"rows": 2, "share": 0.5}}


def test_text_lists_the_first_twenty_findings() -> None:
    lines = validate_rows(FRAME, SCHEMA, LIMITS).as_text().splitlines()
    assert lines[0] == "critical: schema of c0: 1 of 4 rows break `le`"
    assert (len(lines), lines[-1].startswith("and ")) == (21, True)


def test_rows_are_unfit_for_training_from_level_error() -> None:
    valid = validate_rows(FRAME.replace(9, 2), SCHEMA, LIMITS)
    assert (validate_rows(FRAME, SCHEMA, LIMITS).blocks_training, valid.blocks_training) == (True, False)
