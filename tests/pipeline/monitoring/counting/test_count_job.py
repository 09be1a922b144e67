"""Counts of parts add up to those of one pass, whatever divides and runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.errors import DataError, UsageError
from pipeline.monitoring import count_frame
from tests.fixtures.proof import is_long
from tests.pipeline.monitoring.counting.counted_files import scored_frame
from tests.pipeline.monitoring.log_fixtures import plain_counts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.monitoring.counting.counted_files import Counted

N_ROWS = 10_000_000 if is_long() else 20_000
N_DISTINCT = 4_000


@pytest.fixture(scope="module")
def group_rows() -> int:
    return N_ROWS // 16


def write_rows(counted: Counted, path: Path, group_rows: int) -> pd.DataFrame:
    """Write N_ROWS rows that repeat N_DISTINCT ones, and return these."""
    frame = scored_frame(counted.package, N_DISTINCT)
    frame.loc[frame.index % 5 == 0, frame.columns[0]] = None
    whole = pd.concat([frame] * (N_ROWS // N_DISTINCT), ignore_index=True)
    whole.to_parquet(path, row_group_size=group_rows, index=False)
    return frame


def test_no_bin_differs_from_one_pass_for_any_number_of_parts_and_workers(
    counted: Counted, group_rows: int, tmp_path: Path
) -> None:
    frame = write_rows(counted, tmp_path / "in.parquet", group_rows)
    expected = count_frame(
        counted.package.reference,
        frame,
        n_rows=len(frame),
        score=frame[f"probability_{counted.package.schema.target.positive}"],
        confidence=frame["confidence"],
        predicted=frame["prediction"],
    )
    factor = N_ROWS // N_DISTINCT
    contents = set()
    for n_parts, workers in ((1, 1), (8, 1), (16, 1), (16, 2)):
        output = tmp_path / f"out-{n_parts}-{workers}"
        counts = counted.count(
            tmp_path / "in.parquet", output=output, part_rows=16 // n_parts * group_rows, workers=workers
        )
        assert (counts.n_rows, counts.problems) == (N_ROWS, {})
        contents.add((output / "counts.json").read_bytes())
    assert len(contents) == 1
    assert {name: [factor * n for n in vector] for name, vector in plain_counts(expected).items()} == plain_counts(
        counts
    )


def test_files_of_a_folder_or_a_pattern_are_counted_together(counted: Counted, tmp_path: Path) -> None:
    frame = scored_frame(counted.package, 300)
    (tmp_path / "in").mkdir()
    frame[:100].to_csv(tmp_path / "in/a.csv", index=False)
    frame[100:].to_csv(tmp_path / "in/b.csv", index=False)
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    whole = counted.count(tmp_path / "in.parquet", output=tmp_path / "whole")
    for source in ("in", "in/*.csv"):
        output = tmp_path / source.replace("/*", "-")
        parts = counted.count(tmp_path / source, output=output.with_suffix(".out"))
        assert plain_counts(parts) == plain_counts(whole)


def test_rows_in_an_object_store_are_counted(counted: Counted, s3_bucket: str, tmp_path: Path) -> None:
    frame = scored_frame(counted.package, 300)
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=100, index=False)
    upload(tmp_path / "in.parquet", f"{s3_bucket}/rows/in.parquet")
    stored = counted.count(f"{s3_bucket}/rows", output=f"{s3_bucket}/counts", part_rows=100)
    local = counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
    assert plain_counts(stored) == plain_counts(local)


def upload(source: Path, address: str) -> None:
    from pipeline.storage import StoragePath

    StoragePath.parse(address).write_bytes(source.read_bytes())


def test_a_value_of_another_type_refuses_the_whole(counted: Counted, tmp_path: Path) -> None:
    frame = scored_frame(counted.package, 300)
    name = frame.columns[0]
    frame[name] = frame[name].astype("string")
    frame.loc[250, name] = "many"
    frame.to_parquet(tmp_path / "in.parquet", row_group_size=100, index=False)
    with pytest.raises(DataError, match=f"in.parquet: {name}: integer: .*row 251: found 'many'"):
        counted.count(tmp_path / "in.parquet", output=tmp_path / "out", part_rows=100)
    assert not (tmp_path / "out/counts.json").exists()


def test_a_file_of_another_format_is_refused(counted: Counted, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="read in parts only as CSV or Parquet"):
        counted.count(tmp_path / "in.json", output=tmp_path / "out")
