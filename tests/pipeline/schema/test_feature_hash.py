"""A row has the same hash in every snapshot, file format and order, and another row has another one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.schema import Column, Schema, Target
from pipeline.schema.feature_hash import HashSplit, feature_hashes

SCHEMA = Schema(
    "hashes",
    (
        Column("visits", "integer", "Int64", nullable=True),
        Column("spent", "float", "Float64", nullable=True),
        Column("member", "boolean", "boolean", nullable=True),
        Column("plan", "category", "category", nullable=True, categories=("free", "paid")),
        Column("note", "text", "string", nullable=True),
        Column("joined", "datetime", "datetime64[us]", nullable=True),
        Column("customer", "text", "string", role="id"),
    ),
    Target("bought", ("no", "yes"), "yes"),
)


def make_rows(n_rows: int = 400) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "visits": pd.array(generator.integers(0, 9, n_rows), dtype="Int64"),
            "spent": pd.array(generator.normal(size=n_rows).round(1), dtype="Float64"),
            "member": pd.array(generator.random(n_rows) < 0.5, dtype="boolean"),
            "plan": pd.array(generator.choice(["free", "paid"], n_rows), dtype="string"),
            "note": pd.array(generator.choice(["ä", "", "long text"], n_rows), dtype="string"),
            "joined": pd.Timestamp("2026-01-01") + pd.to_timedelta(generator.integers(0, 99, n_rows), unit="D"),
            "customer": pd.array([f"c{at}" for at in range(n_rows)], dtype="string"),
            "bought": pd.array(generator.choice(["no", "yes"], n_rows), dtype="string"),
        }
    )
    rows["joined"] = rows["joined"].astype("datetime64[us]")
    for name in SCHEMA.feature_names:
        rows.loc[generator.random(n_rows) < 0.1, name] = pd.NA
    return rows


def with_other_dtypes(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        visits=rows["visits"].astype("Float64").to_numpy(float, na_value=np.nan),
        spent=rows["spent"].astype(object).where(rows["spent"].notna(), None),
        member=rows["member"].astype(object).where(rows["member"].notna(), None),
        plan=rows["plan"].astype("category"),
        note=rows["note"].astype(object),
        joined=rows["joined"].astype("datetime64[ns]"),
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[list(reversed(rows.columns))],
        lambda rows: rows.assign(bought="no", customer="x"),
        with_other_dtypes,
    ],
    ids=["order of columns", "columns that are no features", "dtypes"],
)
def test_a_row_keeps_its_hash(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    rows = make_rows()
    np.testing.assert_array_equal(feature_hashes(change(rows), SCHEMA), feature_hashes(rows, SCHEMA))


def test_a_row_keeps_its_hash_in_a_parquet_file(tmp_path: Path) -> None:
    rows = make_rows()
    rows.to_parquet(tmp_path / "rows.parquet")
    read = pd.read_parquet(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(feature_hashes(read, SCHEMA), feature_hashes(rows, SCHEMA))


def test_a_row_keeps_its_hash_in_another_order_of_rows() -> None:
    rows = make_rows().sample(frac=1, random_state=1)
    hashes = pd.Series(feature_hashes(rows, SCHEMA), index=rows.index).sort_index()
    np.testing.assert_array_equal(hashes.to_numpy(), feature_hashes(make_rows(), SCHEMA))


@pytest.mark.parametrize("name", SCHEMA.feature_names)
def test_each_feature_changes_the_hash(name: str) -> None:
    rows = make_rows()
    is_filled = rows[name].notna().to_numpy()
    changed = rows.assign(**{name: pd.array([pd.NA] * len(rows), dtype=rows[name].dtype)})
    differs = feature_hashes(changed, SCHEMA) != feature_hashes(rows, SCHEMA)
    np.testing.assert_array_equal(differs, is_filled)


def test_hashes_are_the_same_in_every_version() -> None:
    # Another value moves rows of every project to the other part.
    row = pd.DataFrame({"a": [1.5], "b": ["x"]})
    schema = Schema(
        "two",
        (Column("a", "float", "Float64"), Column("b", "category", "category", categories=("x",))),
        Target("c", ("n", "y")),
    )
    assert feature_hashes(row, schema).tolist() == [15748053754900655645]
    assert HashSplit(42, 0.2).positions(feature_hashes(row, schema)).tolist() == [0.8226068862022887]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_the_test_part_has_its_share(seed: int, share: float) -> None:
    hashes = np.arange(20_000, dtype=np.uint64)
    n_test = HashSplit(seed, share).is_test(hashes).sum()
    assert abs(n_test - share * 20_000) < 5 * np.sqrt(share * (1 - share) * 20_000)


def test_a_larger_share_keeps_the_test_rows_of_a_smaller_one() -> None:
    hashes = np.arange(1000, dtype=np.uint64)
    small, large = (HashSplit(1, share).is_test(hashes) for share in (0.2, 0.3))
    assert large[small].all()


def test_another_seed_gives_another_part_to_some_rows() -> None:
    hashes = np.arange(10_000, dtype=np.uint64)
    both = HashSplit(1, 0.2).is_test(hashes) & HashSplit(2, 0.2).is_test(hashes)
    assert 300 < both.sum() < 500
