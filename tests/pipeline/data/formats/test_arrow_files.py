import datetime as dt
import struct
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.data.formats.arrow_files import open_arrow, open_parquet
from pipeline.data.formats.typed_file import TypedFile, read_all
from pipeline.errors import DataError

MOMENT = dt.datetime.fromisoformat("2026-03-29T01:30:00")
TABLE = pa.table(
    {
        "plain": pa.array([1, 2], pa.int8()),
        "list": [[1], []],
        "struct": [{"a": 1}, None],
        "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
        "bytes": [b"x", None],
        "zoned": pa.array([MOMENT, None], pa.timestamp("us", tz="Europe/Berlin")),
        "duration": pa.array([1_500, None], pa.duration("ms")),
        "time": pa.array([dt.time(9, 30), None]),
        "word": pa.array(["a", None]).dictionary_encode(),
        "long": pa.array(["a", None], pa.large_string()),
        "half": pa.array([0.5, None], pa.float16()),
        "price": pa.array([None, Decimal(2)], pa.decimal128(9, 2)),
    }
)
PLAIN = {
    "plain": [1, 2],
    "zoned": [MOMENT.replace(tzinfo=dt.UTC), None],
    "duration": [1.5, None],
    "time": ["09:30:00.000000", None],
    "word": ["a", None],
    "long": ["a", None],
    "half": [0.5, None],
    "price": [None, 2],
}


def write_and_open(path: Path, table: pa.Table) -> TypedFile:
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return open_parquet(path)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    return open_arrow(path)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_plain_columns_are_read_and_others_set_aside_by_name(tmp_path: Path, name: str) -> None:
    table = TABLE.drop_columns("half") if name.endswith("parquet") else TABLE
    file = write_and_open(tmp_path / name, table)
    assert list(file.set_aside) == ["list", "struct", "map", "bytes"]
    assert file.set_aside["struct"] == "nested values (struct)"
    assert read_all(file, file.names).to_pydict() == {key: PLAIN[key] for key in PLAIN if key in table.column_names}


def test_the_index_of_pandas_is_set_aside(tmp_path: Path) -> None:
    pd.DataFrame({"plain": [1, 2]}, index=[7, 9]).to_parquet(tmp_path / "rows.parquet")
    file = open_parquet(tmp_path / "rows.parquet")
    assert (file.names, dict(file.set_aside)) == (("plain",), {"__index_level_0__": "the index of a pandas frame"})


def test_a_file_is_read_in_batches(tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows.arrow"):
        file = write_and_open(tmp_path / name, pa.table({"a": range(150_000)}))
        tables = list(file.read(["a"]))
        assert max(table.num_rows for table in tables) <= 65_536
        assert pa.concat_tables(tables).column("a").to_pylist() == list(range(150_000))


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(DataError, match="two columns have the name 'a'"):
        write_and_open(tmp_path / "rows.arrow", table)


def test_offsets_outside_their_buffer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    with pa.ipc.new_file(str(path), pa.schema({"a": pa.string()})) as writer:
        writer.write_batch(pa.record_batch({"a": ["x" * 77]}))
    # The end of the only text, as Arrow stores it.
    path.write_bytes(path.read_bytes().replace(struct.pack("<ii", 0, 77), struct.pack("<ii", 0, 1_000_000_000)))
    with pytest.raises(DataError, match="is no readable Arrow file"):
        list(open_arrow(path).read(["a"]))
