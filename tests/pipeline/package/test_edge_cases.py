import pandas as pd
import pytest

from pipeline.package.edge_cases import EdgeCase, rows_with_edge_cases

BASE = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}).astype({"a": "Int64", "b": "string"})
CASES = [EdgeCase("a", None), EdgeCase("a", 9), EdgeCase("b", "new")]


def test_each_row_has_one_case_where_the_rows_suffice() -> None:
    rows = rows_with_edge_cases(BASE, CASES, n_rows_each=2, max_rows=10)
    assert rows["a"].astype(object).where(rows["a"].notna(), None).tolist() == [None, None, 9, 9, 2, 3]
    assert rows["b"].tolist() == ["x", "y", "z", "x", "new", "new"]


@pytest.mark.parametrize("n_columns", [30, 300, 3_000])
def test_each_case_has_its_rows_in_narrow_and_in_wide_tables(n_columns: int) -> None:
    base = pd.DataFrame({f"c{i}": [0, 0] for i in range(n_columns)})
    cases = [EdgeCase(f"c{i}", value) for i in range(n_columns) for value in (1, 2, 3)]
    rows = rows_with_edge_cases(base, cases, n_rows_each=5, max_rows=100)
    assert rows.shape == (100, n_columns)
    assert all((rows[case.column] == case.value).sum() == 5 for case in cases)


def test_the_rows_of_the_base_are_not_changed() -> None:
    before = BASE.copy()
    rows_with_edge_cases(BASE, CASES, n_rows_each=3, max_rows=9)
    assert BASE.equals(before)
