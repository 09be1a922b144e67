"""Classes of a draft are labels with enough rows; other rows are unlabeled."""

import pyarrow as pa
import pytest

from pipeline.data.target_inference import infer_target
from pipeline.errors import DataError


@pytest.mark.parametrize(
    ("texts", "classes", "positive"),
    [
        (["no", "yes", "yes"], ("no", "yes"), "yes"),
        (["0", "1", "1"], ("0", "1"), "1"),
        (["red", "red", "blue"], ("blue", "red"), "blue"),
        (["10", "9", "11"], ("9", "10", "11"), None),
    ],
)
def test_classes_are_sorted_and_the_positive_class_is_inferred(
    texts: list[str], classes: tuple[str, ...], positive: str | None
) -> None:
    target = infer_target(pa.table({"outcome": texts}), "outcome")
    assert (target.classes, target.positive) == (classes, positive)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("outcmoe", "did you mean 'outcome'"),
        ("same", "has one class, 'a'; expected two or more classes: name another column"),
        ("empty", "has no values; expected two or more"),
        ("number", "60 distinct values.*A number is no class"),
    ],
)
def test_column_without_classes_is_refused_as_target(target: str, message: str) -> None:
    table = pa.table(
        {
            "outcome": ["a", "b"] * 30,
            "same": ["a"] * 60,
            "number": [str(number) for number in range(60)],
            "empty": pa.nulls(60, pa.string()),
        }
    )
    with pytest.raises(DataError, match=message):
        infer_target(table, target)


@pytest.mark.parametrize(
    ("labels", "classes", "n_missing", "rare"),
    [
        (["a"] * 10 + ["b"] * 12 + ["c"] * 9 + [None] * 3, ("a", "b"), 3, {"c": 9}),
        (["a"] * 3 + ["b"] * 2 + [None], ("a", "b"), 1, {}),
        ([f"class {at % 60:02}" for at in range(600)], tuple(f"class {at:02}" for at in range(60)), 0, {}),
        (["a"] * 500 + ["b"], ("a", "b"), 0, {}),
    ],
)
def test_labels_of_few_rows_are_no_classes_where_rows_are_many(
    labels: list[str | None], classes: tuple[str, ...], n_missing: int, rare: dict[str, int]
) -> None:
    target = infer_target(pa.table({"outcome": pa.array(labels, pa.string())}), "outcome")
    assert (target.classes, target.n_missing, target.rare) == (classes, n_missing, rare)
    assert target.n_unlabeled == n_missing + sum(rare.values())


def test_more_classes_than_a_model_is_built_for_are_refused() -> None:
    labels = [str(at % 400) for at in range(4_000)]
    with pytest.raises(DataError, match="400 distinct values of 10 rows or more; expected at most 300 classes"):
        infer_target(pa.table({"outcome": labels}), "outcome")


def test_a_class_that_is_left_out_is_unlabeled() -> None:
    labels = ["a"] * 10 + ["b"] * 12 + ["yes"] * 11
    target = infer_target(pa.table({"outcome": labels}), "outcome").without(["b"])
    assert (target.classes, target.positive, target.rare) == (("a", "yes"), "yes", {"b": 12})


def test_a_missing_target_is_reported_with_what_was_assumed() -> None:
    with pytest.raises(DataError, match="'outcome'; there are: note; the sheet 'Info' is read"):
        infer_target(pa.table({"note": ["a", "b"]}), "outcome", notes=["the sheet 'Info' is read"])
