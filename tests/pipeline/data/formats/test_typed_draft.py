from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.formats.typed_draft import TypedDraft, check_same_names, draft_typed_files
from pipeline.errors import DataError, UsageError
from tests.pipeline.data.formats.row_files import write_workbook


def test_csv_text_has_no_typed_draft(tmp_path: Path) -> None:
    assert draft_typed_files([tmp_path / "rows.csv.gz"]) is None


def test_a_workbook_is_drafted_with_its_place_and_what_was_assumed(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "book.xlsx", {"Data": [["Title"], ["a", "b"], [1, "x"]], "Old": [["y"]]})
    draft = draft_typed_files([path])
    assert draft is not None
    assert dict(draft.settings) == {"kind": "excel", "sheet": "Data", "skip_lines": 1}
    assert "not 'Old'" in draft.notes[0]
    assert "row 2" in draft.notes[1]
    assert draft.texts.to_pydict() == {"a": ["1"], "b": ["x"]}
    assert kinds_of(draft) == {"a": "integer", "b": None}


def test_a_workbook_with_one_sheet_is_read_whatever_its_name(tmp_path: Path) -> None:
    draft = draft_typed_files([write_workbook(tmp_path / "book.xlsx", {"Empty": [], "Data": [["a"], [1]]})])
    assert draft is not None
    assert (dict(draft.settings), draft.notes) == ({"kind": "excel"}, ())


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_table_of_a_file_without_tables_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"--table people: {name} has no tables or sheets"):
        draft_typed_files([tmp_path / name], table="people")


def test_typed_columns_have_their_kinds_and_nested_ones_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [0.5], "b": ["x"], "c": [[1]]}), tmp_path / "rows.parquet")
    draft = draft_typed_files([tmp_path / "rows.parquet"])
    assert draft is not None
    assert (kinds_of(draft), list(draft.set_aside)) == ({"a": "float", "b": "category"}, ["c"])


def test_moments_and_durations_of_a_typed_file_become_texts_in_utc_and_seconds(tmp_path: Path) -> None:
    moments = pa.array([1715702709000000], pa.timestamp("us", "Europe/Berlin"))
    table = pa.table({"seen": moments, "waited": pa.array([90_000_000], pa.duration("us"))})
    pq.write_table(table, tmp_path / "rows.parquet")
    draft = draft_typed_files([tmp_path / "rows.parquet"])
    assert draft is not None
    assert draft.texts.to_pydict() == {"seen": ["2024-05-14T16:05:09.000000"], "waited": ["90"]}
    assert kinds_of(draft) == {"seen": "datetime", "waited": "integer"}


def kinds_of(draft: TypedDraft) -> dict[str, str | None]:
    return {name: known.text_format.kind if known else None for name, known in draft.known_kinds.items()}


def test_texts_of_json_stay_texts_and_mixed_columns_are_decided_by_their_values(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a":"1","b":1,"c":2}\n{"a":"2","b":"2","c":null}\n')
    draft = draft_typed_files([tmp_path / "rows.jsonl"])
    assert draft is not None
    assert kinds_of(draft) == {"a": "category", "b": None, "c": "integer"}


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet: has no rows"):
        draft_typed_files([tmp_path / "rows.parquet"])


def test_the_order_of_names_does_not_matter() -> None:
    check_same_names(Path("b"), ["x", "y"], Path("a"), ["y", "x"])
