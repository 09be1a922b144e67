"""Files are written whole or not at all, and a full disk loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from pipeline import files
from pipeline.errors import Conflict, DataError, DependencyUnavailable

NO_SPACE = Path("/dev/full")


def test_an_error_while_writing_leaves_what_stood_there(tmp_path: Path) -> None:
    target = tmp_path / "answer.json"
    files.write_text(target, "good")
    with pytest.raises(RuntimeError, match="half way"), files.atomic_file(target) as temporary:
        temporary.write_text("bad", encoding="utf-8")
        raise RuntimeError("half way")
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["good"]


@pytest.mark.skipif(not NO_SPACE.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    target = tmp_path / "answer.json"
    files.write_text(target, "good")
    with pytest.raises(DependencyUnavailable, match=r"answer\.json: No space left"), files.atomic_file(target):
        NO_SPACE.write_text("x" * 100_000, encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "good"


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "package"
    for name in ("old", "new"):
        with files.atomic_folder(target) as temporary:
            (temporary / name).write_text(name, encoding="utf-8")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["package", "package/new"]


def test_the_rights_of_a_file_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        files.write_text(tmp_path / "answer.json", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "answer.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("starts_processes")
def test_a_second_holder_of_a_lock_gets_the_name_of_the_operation(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from pipeline import files\n"
    code += (
        f"with files.exclusive_lock(Path({str(lock)!r}), operation='x'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(Conflict, match="training: another process"),
            files.exclusive_lock(lock, operation="training", wait_s=0.1),
        ):
            pass
        holder.kill()
    with files.exclusive_lock(lock, operation="training", wait_s=5):
        pass


def test_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "word": pd.array(["a", None], dtype="string")})
    files.write_parquet(tmp_path / "a.parquet", frame)
    files.write_parquet(tmp_path / "b.parquet", frame.set_axis([7, 9]))
    assert files.sha256_file(tmp_path / "a.parquet") == files.sha256_file(tmp_path / "b.parquet")


def test_integers_with_missing_values_stay_integers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": pd.array([2**53 + 1, None], dtype="Int64")})
    files.write_parquet(tmp_path / "a.parquet", frame)
    read = files.read_parquet(tmp_path / "a.parquet")
    assert (str(read["n"].dtype), read["n"][0]) == ("Int64", 2**53 + 1)


@pytest.mark.parametrize("read", [files.read_json, files.read_parquet])
def test_a_damaged_file_is_refused_with_the_way_out(tmp_path: Path, read: object) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(b"{half")
    with pytest.raises(DataError, match=r"damaged: not .* run `dvc repro` to recreate it"):
        read(path)  # type: ignore[operator]


@pytest.mark.parametrize("read", [files.read_json, files.read_parquet])
def test_a_missing_file_is_refused_with_the_way_out(tmp_path: Path, read: object) -> None:
    with pytest.raises(DataError, match="no such file; run `dvc repro` to create it"):
        read(tmp_path / "missing")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"tree": {"threshold": [0.5, float("inf")]}}, r"tree\.threshold\[1\]: found inf"),
        ({"columns": [{"name": "spent", "mean": float("nan")}]}, r"columns\[spent\]\.mean: found nan"),
        ([1.0, (2.0, -float("inf"))], r"\[1\]\[1\]: found -inf"),
        (float("nan"), "the value: found nan"),
    ],
)
def test_a_number_that_json_cannot_hold_is_refused_with_its_place(value: object, place: str) -> None:
    with pytest.raises(DataError, match=place):
        files.canonical_json(value)


def test_batches_of_a_parquet_file_hold_nothing_of_what_was_read(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(0, 2**60, 3_500_000)
    pq.write_table(pa.table({"number": numbers, "other": numbers}), tmp_path / "rows.parquet", row_group_size=250_000)
    before, peak, start = pa.total_allocated_bytes(), 0, 0
    with pq.ParquetFile(tmp_path / "rows.parquet") as file:
        for batch in files.iter_parquet(file, ["number"], batch_rows=60_000):
            assert np.array_equal(batch.column("number").to_numpy(), numbers[start : start + len(batch)])
            start += len(batch)
            peak = max(peak, pa.total_allocated_bytes() - before)
    assert (start, peak < 0.6 * numbers.nbytes) == (len(numbers), True)
