from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_records import Records, match_record, remove_padding, split_records

MULTILINE = CsvDialect(multiline=True)
CELL = st.text(st.sampled_from('ab ,"\n'), max_size=4)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=6), st.integers(0, 60))
def test_records_of_quoted_text_are_those_of_the_csv_module(table: list[list[str]], cut: int) -> None:
    """A block may end inside a record: what is left out is the start of the next block."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    content = stream.getvalue().encode()
    first = split_records(content[:cut], MULTILINE, is_at_end=False)
    rest = split_records(content[len(first.content) :], MULTILINE, is_at_end=True)
    texts = [
        records.content[start : end + 1].decode()
        for records in (first, rest)
        for start, end in zip(records.starts, records.ends, strict=True)
    ]
    assert [next(csv.reader(io.StringIO(text))) for text in texts] == table


@pytest.mark.parametrize(
    ("content", "n_records"),
    [(b'1,"a\nb"\n2,c\n', 2), (b'1,"a\n2,c\n', 2), (b'1,a"\n"2\n3",4\n', 2), (b'"a\n"b\n"c\nd"\n', 3)],
)
def test_an_unsound_quote_ends_its_record_in_its_line(content: bytes, n_records: int) -> None:
    assert len(split_records(content, MULTILINE, is_at_end=True).starts) == n_records


def test_a_sound_record_ends_behind_its_line_break() -> None:
    assert match_record(b'x\n1,"a\nb"\n', 2, MULTILINE) == 10
    assert match_record(b'1,"a\n', 0, MULTILINE) is None


@pytest.mark.parametrize(
    ("content", "expected", "delimiter"),
    [
        (b' a , "b , c" ,d \r\n\te,f, g\n', b'a,"b , c",d\r\ne,f,g\n', ","),
        (b"  a   b\tc \nd e f\n", b"a b c\nd e f\n", " "),
        (b'"a  b"   c\n', b'"a  b" c\n', " "),
        (b" a\t b\n", b"a\tb\n", "\t"),
        (b"a,b\n", b"a,b\n", ","),
    ],
)
def test_padding_is_removed_outside_quotes(content: bytes, expected: bytes, delimiter: str) -> None:
    ends = np.flatnonzero(np.frombuffer(content, np.uint8) == 10)
    records = Records(content, np.concatenate(([0], ends[:-1] + 1)), ends)
    trimmed = remove_padding(records, CsvDialect(delimiter=delimiter, padded=True))
    assert trimmed.content == expected
    assert trimmed.ends.tolist() == np.flatnonzero(np.frombuffer(expected, np.uint8) == 10).tolist()
