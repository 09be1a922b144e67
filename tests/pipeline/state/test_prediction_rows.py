"""The rows of a request have the columns of the table, and count its latency once."""

from __future__ import annotations

from pipeline.state.prediction_rows import REQUEST_COLUMNS, ROW_COLUMNS, PredictionRow, RequestRows, RequestValues

SHARED = RequestValues(*(f"<{name}>" for name in RequestValues._fields))._replace(latency_us=700)
REQUEST = RequestRows(SHARED, *([f"{name} {at}" for at in range(3)] for name in ROW_COLUMNS))


def test_each_row_has_the_values_of_its_columns() -> None:
    for at, values in enumerate(REQUEST.iter_rows()):
        row = PredictionRow(*values)._asdict()
        own = {name: f"{name} {at}" for name in ROW_COLUMNS}
        assert row == {**SHARED._asdict(), **own, "latency_us": 700 if at == 0 else 0}


def test_shared_and_own_columns_are_those_of_the_table() -> None:
    assert sorted((*REQUEST_COLUMNS, *ROW_COLUMNS)) == sorted(PredictionRow._fields)


def test_a_request_counts_its_rows() -> None:
    assert (REQUEST.n_rows, len(list(REQUEST.iter_rows()))) == (3, 3)
