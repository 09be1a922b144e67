import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.config.groups.data_config import SplitConfig
from pipeline.data.splitters import SPLITTERS, define_splitter, split_train_test
from pipeline.errors import ConfigError, DataError, ExtensionFailed, UnknownOption
from pipeline.schema import Column, Schema, Target

SCHEMA = Schema(
    "splits",
    (Column("number", "integer", "Int64"), Column("day", "datetime", "datetime64[us]", role="time")),
    Target("outcome", ("a", "b", "c")),
)


def make_frame(*counts: int) -> pd.DataFrame:
    classes = [name for name, count in zip("abc", counts, strict=True) for _ in range(count)]
    n = len(classes)
    return pd.DataFrame(
        {
            "number": pd.array(range(n), dtype="Int64"),
            "day": pd.date_range("2026-01-01", periods=n).astype("datetime64[us]"),
            "outcome": pd.array(classes, dtype="string"),
        }
    )


def split_config(kind: str = "stratified", *, share: float = 0.2, column: str | None = None) -> SplitConfig:
    return SplitConfig(kind=kind, test_share=share, column=column)


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["stratified", "random", "by_time"]),
    st.tuples(*[st.integers(5, 60)] * 3),
    st.floats(0.1, 0.9),
    st.integers(0, 2**32 - 1),
)
def test_each_row_is_in_a_single_part_in_its_original_order(
    kind: str, counts: tuple[int, int, int], share: float, seed: int
) -> None:
    rows = make_frame(*counts)
    parts = split_train_test(rows, SCHEMA, split_config(kind, share=share, column="day"), seed=seed)
    train, test = parts.train["number"].tolist(), parts.test["number"].tolist()
    assert sorted(train + test) == rows["number"].tolist()
    assert train == sorted(train)
    assert test == sorted(test)
    assert abs(len(test) - share * len(rows)) <= 2
    assert parts.test.index.tolist() == list(range(len(test)))


def test_each_class_gives_its_share() -> None:
    parts = split_train_test(make_frame(100, 50, 10), SCHEMA, split_config(), seed=1)
    assert parts.test["outcome"].value_counts().to_dict() == {"a": 20, "b": 10, "c": 2}


def test_the_smallest_class_is_in_both_parts() -> None:
    parts = split_train_test(make_frame(100, 50, 2), SCHEMA, split_config(), seed=1)
    assert ((parts.train["outcome"] == "c").sum(), (parts.test["outcome"] == "c").sum()) == (1, 1)


@pytest.mark.parametrize("kind", ["by_hash", "stratified", "random"])
def test_equal_seeds_give_equal_splits(kind: str) -> None:
    rows = make_frame(40, 40, 40)
    first, again, other = (split_train_test(rows, SCHEMA, split_config(kind), seed=seed).test for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["number"].tolist() != other["number"].tolist()


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(40, 90)] * 3), st.integers(1, 200), st.floats(0.1, 0.5), st.integers(0, 2**32 - 1))
def test_by_hash_keeps_the_part_of_each_row_when_rows_are_added(
    counts: tuple[int, int, int], n_more: int, share: float, seed: int
) -> None:
    rows = make_frame(*counts)
    more = make_frame(n_more, 0, 0).assign(number=lambda new: new["number"] + 1000)
    grown = pd.concat([more, rows.sample(frac=1, random_state=seed)], ignore_index=True)
    before, after = (
        split_train_test(frame, SCHEMA, split_config("by_hash", share=share), seed=seed) for frame in (rows, grown)
    )
    known = set(rows["number"])
    assert set(after.test["number"]) & known == set(before.test["number"])


def test_by_hash_keeps_equal_features_together() -> None:
    rows = make_frame(40, 40, 40)
    rows["number"] = pd.array([at % 17 for at in range(120)], dtype="Int64")
    parts = split_train_test(rows, SCHEMA, split_config("by_hash"), seed=1)
    assert not set(parts.train["number"]) & set(parts.test["number"])
    assert set(parts.train["outcome"]) == set(parts.test["outcome"]) == {"a", "b", "c"}


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(0, 60), st.integers(0, 5), st.integers(10, 200), st.integers(0, 2**32 - 1))
def test_by_hash_moves_rows_only_with_a_rare_class_that_grows_and_then_one_value(
    n_rare: int, n_more: int, n_rare_more: int, n_values: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    grown = make_frame(60 + n_more, 60, n_rare + n_rare_more).sample(frac=1, random_state=seed)
    grown["number"] = pd.array(generator.integers(0, n_values, len(grown)), dtype="Int64")
    is_new = grown.groupby("outcome").cumcount() >= grown["outcome"].map({"a": 60, "b": 60, "c": n_rare})
    try:
        before, after = (
            set(split_train_test(frame, SCHEMA, split_config("by_hash"), seed=seed).test["number"])
            for frame in (grown[~is_new], grown)
        )
    except DataError:  # all rows of a class are equal
        return
    known = set(grown["number"][~is_new])
    changed_parts = (before ^ after) & known
    # One value leaves the part that another enters.
    assert len(changed_parts) <= (2 if n_rare_more else 0)
    assert changed_parts <= set(grown["number"][grown["outcome"] == "c"])


@pytest.mark.parametrize("seed", range(12))
def test_by_hash_has_every_class_of_a_small_set_in_both_parts(seed: int) -> None:
    rows = make_frame(20, 2, 2)
    parts, again = (
        split_train_test(frame, SCHEMA, split_config("by_hash"), seed=seed)
        for frame in (rows, rows.sample(frac=1, random_state=seed))
    )
    assert set(parts.train["outcome"]) == set(parts.test["outcome"]) == {"a", "b", "c"}
    assert sorted(parts.test["number"]) == sorted(again.test["number"])


def test_latest_rows_are_test_rows_and_equal_times_stay_together() -> None:
    rows = make_frame(4, 3, 3).assign(
        day=pd.to_datetime(["2026-01-01"] * 6 + ["2026-01-02"] * 4).astype("datetime64[us]")
    )
    parts = split_train_test(
        rows.sample(frac=1, random_state=0), SCHEMA, split_config("by_time", share=0.2, column="day"), seed=0
    )
    assert sorted(parts.test["number"]) == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("rows", "chosen", "message"),
    [
        (make_frame(9, 9, 1), split_config(), r"fewer than 2 rows .*: c \(1\)"),
        (make_frame(9, 9, 1), split_config("by_hash"), r"fewer than 2 rows .*: c \(1\)"),
        (
            make_frame(9, 9, 9).assign(number=1),
            split_config("by_hash"),
            r"equal features together.*: a \(t.*stratified",
        ),
        (
            make_frame(3, 3, 3).assign(outcome=pd.array(["a", "b", "c"] * 2 + ["a", "b", None], dtype="string")),
            split_config(),
            "no class",
        ),
        (make_frame(1, 1, 0), split_config("random", share=0.1), "leave the test part empty"),
        (make_frame(9, 9, 9).assign(day=pd.NaT), split_config("by_time", column="day"), "27 rows have no day"),
        (make_frame(2, 2, 2).assign(number=1), split_config("by_time", column="number"), "leave the train part empty"),
    ],
)
def test_rows_that_cannot_be_split_are_refused(rows: pd.DataFrame, chosen: SplitConfig, message: str) -> None:
    schema = (
        SCHEMA if (rows["outcome"] == "c").any() else Schema("two", SCHEMA.columns, Target("outcome", ("a", "b"), "a"))
    )
    with pytest.raises(DataError, match=message):
        split_train_test(rows, schema, chosen, seed=0)


@pytest.mark.parametrize("kind", ["by_hash", "stratified", "random", "by_time"])
@pytest.mark.parametrize("absent", ["outcome", "number", "day"])
def test_a_missing_column_is_named(kind: str, absent: str) -> None:
    rows = make_frame(9, 9, 9).drop(columns=absent)
    chosen = split_config(kind, column="day" if kind == "by_time" else None)
    is_needed = {"outcome": True, "number": kind == "by_hash", "day": kind == "by_time"}[absent]
    if not is_needed:
        assert len(split_train_test(rows, SCHEMA, chosen, seed=0).train)
        return
    with pytest.raises(DataError, match=f"the rows lack 1 column: {absent}; .*`mlops data check`"):
        split_train_test(rows, SCHEMA, chosen, seed=0)


@pytest.mark.parametrize("kind", ["by_hash", "stratified", "random", "by_time"])
def test_no_rows_are_refused(kind: str) -> None:
    with pytest.raises(DataError, match="the data has no rows"):
        split_train_test(make_frame(0, 0, 0), SCHEMA, split_config(kind, column="day"), seed=0)


def test_by_time_requires_a_column() -> None:
    with pytest.raises(ConfigError, match=r"data\.split\.column: is null; by_time needs"):
        split_train_test(make_frame(9, 9, 9), SCHEMA, split_config("by_time"), seed=0)


def test_unknown_splitter_is_refused_with_the_known_names() -> None:
    assert list(SPLITTERS) == ["by_hash", "stratified", "random", "by_time"]
    with pytest.raises(UnknownOption, match="did you mean 'random'"):
        split_train_test(make_frame(9, 9, 9), SCHEMA, split_config("randm"), seed=0)


def test_a_splitter_of_an_extension_is_used_by_its_name(extension_tables: None) -> None:
    define_splitter("odd")(lambda frame, *_, **__: frame["number"].to_numpy(int) % 2 == 1)
    parts = split_train_test(make_frame(2, 2, 2), SCHEMA, split_config("odd"), seed=1)
    assert (parts.train["number"].tolist(), parts.test["number"].tolist()) == ([0, 2, 4], [1, 3, 5])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda *_, **__: [0, 1], r"splitter wrong: returned int64 of shape \(2,\); expected booleans of shape \(6,\)"),
        (lambda *_, **__: 1 / 0, "splitter wrong of the extension .*: ZeroDivisionError"),
    ],
)
def test_a_wrong_splitter_of_an_extension_is_named(extension_tables: None, function, message: str) -> None:
    define_splitter("wrong")(function)
    with pytest.raises(ExtensionFailed, match=message):
        split_train_test(make_frame(2, 2, 2), SCHEMA, split_config("wrong"), seed=1)
    with pytest.raises(ConfigError, match="splitter wrong: exists already"):
        define_splitter("wrong")
