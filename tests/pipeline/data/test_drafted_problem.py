"""A drafted declaration is revised as a whole."""

import pyarrow as pa

from pipeline.data.drafted_problem import DraftedProblem, RawFile
from pipeline.data.schema_inference import InferredColumn
from pipeline.data.target_inference import InferredTarget

COLUMNS = (
    InferredColumn("plan", "category", nullable=False, checks={"isin": ["a", "b"]}, is_open=True, example="a"),
    InferredColumn("visits", "Int64", nullable=False, example=3),
    InferredColumn("id", "string", nullable=False, role="id", unique=True),
)
DRAFT = DraftedProblem(
    "visits",
    "conf/data/visits.yaml",
    "data/external/visits.csv",
    RawFile(pa.table({"plan": ["a"]}), {}, {"kind": "csv"}),
    InferredTarget("bought", {"no": 20, "yes": 20}, "yes", 0, {}),
    COLUMNS,
)


def test_columns_are_named_by_role() -> None:
    assert (DRAFT.names("feature"), DRAFT.names("id"), DRAFT.names("time")) == (("plan", "visits"), ("id",), ())


def test_an_ignored_column_accepts_any_value_and_the_others_stay() -> None:
    ignored = InferredColumn("plan", "string", nullable=True, role="ignore", note="known too late")
    assert DRAFT.ignoring({"plan": "known too late"}).columns == (ignored, *COLUMNS[1:])


def test_a_number_keeps_its_type() -> None:
    column = DRAFT.ignoring({"visits": "known too late"}).columns[1]
    assert (column.dtype, column.role, column.nullable) == ("Int64", "ignore", True)
