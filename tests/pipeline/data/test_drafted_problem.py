"""A drafted declaration is revised as a whole."""

from dataclasses import replace

import pyarrow as pa

from pipeline.data.drafted_problem import DraftedProblem, RawFile
from pipeline.data.schema_inference import InferredColumn
from pipeline.data.target_inference import InferredTarget

COLUMNS = (
    InferredColumn("plan", "category", nullable=False, checks={"isin": ["a", "b"]}, is_open=True, example="a"),
    InferredColumn("visits", "Int64", nullable=False, keys={"null_values": ["?", "NA"]}, example=3),
    InferredColumn("spent", "Float64", nullable=True, keys={"strip": ["$"], "null_values": ["NA"]}),
    InferredColumn("id", "string", nullable=False, role="id", unique=True),
)
DRAFT = DraftedProblem(
    "visits",
    "conf/data/visits.yaml",
    "data/external/visits.csv",
    RawFile(pa.table({name: ["a"] for name in ("plan", "visits", "spent", "id", "bought")}), {}, {"kind": "csv"}),
    InferredTarget("bought", {"no": 20, "yes": 20}, "yes", 0, {}),
    COLUMNS,
)


def test_columns_are_named_by_role() -> None:
    assert (DRAFT.names("feature"), DRAFT.names("id"), DRAFT.names("time")) == (
        ("plan", "visits", "spent"),
        ("id",),
        (),
    )


def test_an_ignored_column_accepts_any_value_and_the_others_stay() -> None:
    ignored = InferredColumn("plan", "string", nullable=True, role="ignore", note="known too late")
    assert DRAFT.ignoring({"plan": "known too late"}).columns == (ignored, *COLUMNS[1:])


def test_a_number_keeps_its_type() -> None:
    column = DRAFT.ignoring({"visits": "known too late"}).columns[1]
    assert (column.dtype, column.role, column.nullable) == ("Int64", "ignore", True)


def test_words_of_missing_values_that_several_columns_share_stand_at_the_source() -> None:
    draft = DRAFT.with_common_null_values()
    assert draft.raw_file.settings == {"kind": "csv", "null_values": ["", "NA"]}
    assert [dict(column.keys) for column in draft.columns] == [{}, {"null_values": ["?"]}, {"strip": ["$"]}, {}]


def test_a_word_that_is_a_value_elsewhere_stays_at_its_columns() -> None:
    texts = DRAFT.raw_file.texts.set_column(0, "plan", pa.array(["NA"]))
    draft = replace(DRAFT, raw_file=replace(DRAFT.raw_file, texts=texts))
    assert draft.with_common_null_values() is draft
