"""The draft finds the dialect of a file with evidence, reads it as declared, and states what it cannot decide."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.csv_detection import detect_csv
from pipeline.errors import DataError
from tests.pipeline.data.csv_dialects import DIALECTS

if TYPE_CHECKING:
    import random

# A file that its first lines do not determine, or that a person has to name.
_UNDETERMINED = {"cp1250", "words for missing"}


def detect(content: bytes, folder: Path) -> tuple[list[str], list[list[str]], dict[str, object]]:
    """Return names, cells and the values of the findings by key."""
    path = folder / "rows.csv"
    path.write_bytes(content)
    detected = detect_csv([path])
    table = detected.tables[0]
    rows = [["" if cell is None else cell for cell in row.values()] for row in table.to_pylist()]
    return table.column_names, rows, {finding.key: finding.value for finding in detected.findings}


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in _UNDETERMINED])
def test_a_dialect_is_found_and_read(tmp_path: Path, name: str) -> None:
    sample = DIALECTS[name]
    names, rows, found = detect(sample.content, tmp_path)
    assert rows == sample.table[1:]
    if name == "no header":
        assert names == ["column_1", "column_2", "column_3"]
    elif "index_column" in sample.settings:
        assert names == ["index", *sample.table[0][1:]]
    else:
        assert names == sample.table[0]
    expected = set(sample.settings) | ({"skip_lines"} if name == "blank lines" else set())
    assert set(found) - {"padded"} == expected - {"padded"}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from([".", ","]),
)
def test_a_random_table_in_a_random_dialect_is_read_exactly(
    chance: random.Random, delimiter: str, quoting: int, end: str, encoding: str, decimal: str
) -> None:
    words = ["Köln", "a, b", "c;d", 'say "x"', "plain", "two\nlines" if chance.random() < 0.3 else "one"]
    cells = [[chance.choice(words), chance.randint(0, 5000), chance.randint(1, 9999) / 100] for _ in range(12)]
    rows = [["Köln", 1, 0.25], *cells]
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerow(["place", "visits", "spent"])
    for place, visits, spent in rows:
        writer.writerow([place, visits, str(spent).replace(".", decimal)])
    with tempfile.TemporaryDirectory() as folder:
        names, read, _ = detect(stream.getvalue().encode(encoding), Path(folder))
    assert names == ["place", "visits", "spent"]
    assert [(place, int(visits), float(spent)) for place, visits, spent in read] == [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("content", "names", "found"),
    [
        ("a,b\n1,x\n2,y\n", ["a", "b"], {}),
        ("a\n1\n2\n", ["a"], {}),
        ("text\nsome words here\nand others\nmore\n", ["text"], {}),
        ("name,2020,2021\nx,1,2\ny,3,4\n", ["name", "2020", "2021"], {}),
        ("0,1,2\n5.1,3.5,a\n4.9,3.0,b\n", ["0", "1", "2"], {}),
        ("150,4,setosa,virginica\n5.1,3.5,1.4,0\n4.9,3.0,1.4,1\n", ["150", "4", "setosa", "virginica"], {}),
        ("sep=;\na;b\n1;2\n", ["a", "b"], {"delimiter": ";", "skip_lines": 1}),
        ("a,a,\n1,2,3\n4,5,6\n", ["a", "a_2", "column_3"], {"names": ["a", "a_2", "column_3"], "skip_lines": 1}),
        ("#id,b\n1,2\n3,4\n", ["#id", "b"], {}),
        ("a,b\n#1,2\n#3,4\n", ["a", "b"], {}),
        ("39, State, 7\n50, Self, 13\n38, State, 9\n50, Self, 7\n", ["column_1", "column_2", "column_3"],
         {"names": ["column_1", "column_2", "column_3"], "padded": True}),
        ("a;b\n1,5;2,25\n3,5;4,75\n", ["a", "b"], {"delimiter": ";", "decimal": ","}),
        ("note,b\nx; y,1\nz; w,2\n", ["note", "b"], {}),
        ("Report\na,b\n1,x\n2,y\n", ["a", "b"], {"skip_lines": 1}),
        ("Report, draft\n\na,b,c\n1,x,2\n2,y,3\n", ["a", "b", "c"], {"skip_lines": 2}),
        ("city,price\nA,\"1,100\"\nB,\"2,101\"\n", ["city", "price"], {"thousands": None}),
    ],
)  # fmt: skip
def test_the_first_lines_decide_the_layout(
    tmp_path: Path, content: str, names: list[str], found: dict[str, object]
) -> None:
    assert (detect(content.encode(), tmp_path)[0], detect(content.encode(), tmp_path)[2]) == (names, found)


def test_what_is_ambiguous_stays_text_and_names_both_settings(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('city,price\nA,"1,100"\nB,"2,101"\n')
    detected = detect_csv([path])
    assert detected.tables[0].column("price").to_pylist() == ["1,100", "2,101"]
    assert detected.findings[0].evidence.startswith("1,100 in price can be a number with three decimals")
    assert detected.findings[0].alternative == (
        'data.source.thousands: "," reads 1100, data.source.decimal: "," reads 1.100'
    )


def test_what_the_first_lines_do_not_show_is_found_later(tmp_path: Path) -> None:
    rows = [f"{number},word\n" for number in range(2000)]
    rows[1500] = '1500,"two\nlines"\n'
    rows[1600] = "\n" + rows[1600]
    rows[1700] = rows[1700].replace("word", "Köln")
    names, read, found = detect("".join(["id,word\n", *rows]).encode("cp1252"), tmp_path)
    assert (names, len(read), read[1500]) == (["id", "word"], 2000, ["1500", "two\nlines"])
    assert found == {"encoding": "cp1252", "multiline": True, "skip_blank_lines": True}


@pytest.mark.parametrize("content", [b"a,b\n1,2,3\n4,5\n6,7\n", b'a,b\n1,"x\n2,3\n', b"a,b\n\x00,1\n"])
def test_a_line_that_no_setting_reads_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"rows\.csv:2:"):
        detect(content, tmp_path)


def test_damaged_utf8_is_not_taken_for_another_encoding(tmp_path: Path) -> None:
    content = "a,b\n" + "ü,1\n" * 50
    with pytest.raises(DataError, match=r"rows\.csv:52:1: encoding"):
        detect(content.encode() + b"\xff,1\n", tmp_path)


def test_several_files_share_the_dialect_of_the_first(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.csv").write_text(f"a;b\n{number},5;x\n")
    detected = detect_csv([tmp_path / "1.csv", tmp_path / "2.csv"])
    assert [table.column("a").to_pylist() for table in detected.tables] == [["1.5"], ["2.5"]]
    assert detected.dialect.as_settings() == {"delimiter": ";", "decimal": ","}
