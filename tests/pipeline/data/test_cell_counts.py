import pyarrow as pa
import pytest

from pipeline.data.cell_counts import CellCounts, quote_examples
from pipeline.schema import TextFormat


def count(*texts: str | None) -> CellCounts:
    return CellCounts.of(pa.array(texts, pa.string()))


def test_words_of_missing_values_are_counted_besides_the_texts() -> None:
    cells = count("1", "1", None, " ", "N/A", "2", "Unknown")
    assert dict(zip(cells.texts.to_pylist(), cells.counts.tolist(), strict=True)) == {"1": 2, "2": 1}
    assert cells.words == {" ": 1, "N/A": 1, "Unknown": 1}
    assert (cells.n_rows, cells.n_present) == (7, 3)


@pytest.mark.parametrize(
    ("texts", "foreign"),
    [
        ([*map(str, range(99)), "soon"], {"soon": 1}),
        (["1"] * 99, {}),
        (["1"] * 99 + ["soon"], None),
        ([*map(str, range(15)), "soon"], None),
        ([*map(str, range(99)), "1a"], None),
        ([str(number) for number in range(400)] + list("abcdef"), None),
        (["a", "b"], None),
    ],
)
def test_few_texts_without_digits_are_foreign_words(texts: list[str], foreign: dict[str, int] | None) -> None:
    assert count(*texts).foreign(TextFormat("integer")) == foreign


def test_unread_texts_are_named_by_frequency() -> None:
    assert count("1", "a", "b", "b").unread(TextFormat("integer")) == (3, 2, ["b", "a"])


def test_examples_are_quoted_and_shortened() -> None:
    assert quote_examples(["a", "b" * 40, "c", "d"]) == f"'a', '{'b' * 30}...', 'c'"
