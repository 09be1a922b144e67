import pyarrow as pa
import pytest

from pipeline.data.formats.typed_file import TypedFile, flatten_table, nested_columns, read_all
from pipeline.errors import DataError


def test_batches_of_several_types_become_one_column() -> None:
    parts = [pa.table({"a": [1]}), pa.table({"a": ["x"]})]
    file = TypedFile(("a",), {}, 2, lambda names: (part.select(names) for part in parts))
    assert read_all(file, ["a"]).to_pydict() == {"a": ["1", "x"]}


@pytest.mark.parametrize(
    ("arrow_type", "held"),
    [
        (pa.int64(), None),
        (pa.dictionary(pa.int8(), pa.string()), None),
        (pa.list_(pa.int64()), "nested values (list)"),
        (pa.dictionary(pa.int8(), pa.binary()), "bytes"),
        (pa.binary(4), "bytes"),
        (pa.month_day_nano_interval(), "intervals of calendar months"),
        (pa.uuid(), "bytes"),
    ],
)
def test_columns_without_plain_values_are_named(arrow_type: pa.DataType, held: str | None) -> None:
    assert nested_columns(pa.schema({"a": arrow_type}), where="") == ({} if held is None else {"a": held})


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"rows\.x: two columns have the name 'a'"):
        nested_columns(pa.schema([("a", pa.int64()), ("b", pa.int64()), ("a", pa.string())]), where="rows.x")


@pytest.mark.parametrize(("unit", "count"), [("s", 3), ("ms", 3_000), ("us", 3_000_000), ("ns", 3_000_000_000)])
def test_durations_become_seconds(unit: str, count: int) -> None:
    table = pa.table({"a": pa.array([count, None], pa.duration(unit))})
    assert flatten_table(table).to_pydict() == {"a": [3.0, None]}
