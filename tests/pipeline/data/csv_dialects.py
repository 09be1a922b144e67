"""One table in many dialects: the bytes, and the declaration that reads them."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.config.groups.source_config import CsvDialect
from pipeline.schema import Column, Schema, Target

__all__ = ["DIALECTS", "PLAIN_TABLE", "DialectSample", "declared"]

# The table in the default dialect: names, then cells.
PLAIN_TABLE = [
    ["city", "visits", "spent"],
    ["Köln", "1100", "12.5"],
    ["Łódź, old", "7", "1234.25"],
    ["", "950", "0.75"],
]
_SIMPLE = [row if row[0] != "Łódź, old" else ["Łódź", *row[1:]] for row in PLAIN_TABLE]


class DialectSample(NamedTuple):
    """The bytes of a file, the settings that read it, and its cells in plain numbers."""

    content: bytes
    settings: dict[str, Any]
    table: list[list[str]]


def _lines(table: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    return end.join(delimiter.join(row) for row in table) + end


_QUOTED = _lines([[f'"{cell}"' for cell in row] for row in PLAIN_TABLE])
_BREAKS = [[cell.replace("Łódź, old", "Łódź\nold") for cell in row] for row in PLAIN_TABLE]
_LATIN = [[cell.replace("Łódź", "Løgstør") for cell in row] for row in _SIMPLE]
_CZECH = [[cell.replace("Łódź", "Plzeň") for cell in row] for row in _SIMPLE]
_GERMAN = 'city;visits;spent\nKöln;1.100;12,5\n"Łódź";7;1.234,25\n;950;0,75\n'


def _read(text: str, table: list[list[str]] = _SIMPLE, encoding: str = "utf-8", **settings: Any) -> DialectSample:
    return DialectSample(text.encode(encoding), settings, table)


DIALECTS: dict[str, DialectSample] = {
    "quotes": _read(_QUOTED, PLAIN_TABLE),
    "CRLF": _read(_QUOTED.replace("\n", "\r\n"), PLAIN_TABLE),
    "carriage returns": _read(_lines(_SIMPLE, end="\r")),
    "UTF-8 with a mark": _read(_lines(_SIMPLE), encoding="utf-8-sig"),
    "blank lines at the end": _read(_lines(_SIMPLE) + "\n\r\n   \n\n"),
    "no line end": _read(_lines(_SIMPLE).rstrip("\n")),
    "padded names": _read(_lines(_SIMPLE).replace("visits", "  visits ")),
    "UTF-16": DialectSample(_lines(_SIMPLE).encode("utf-16"), {"encoding": "utf-16"}, _SIMPLE),
    "UTF-16 from the big end": DialectSample(
        b"\xfe\xff" + _lines(_SIMPLE).encode("utf-16-be"), {"encoding": "utf-16"}, _SIMPLE
    ),
    "UTF-16 without a mark": DialectSample(_lines(_SIMPLE).encode("utf-16-le"), {"encoding": "utf-16-le"}, _SIMPLE),
    "UTF-16 big end without a mark": DialectSample(
        _lines(_SIMPLE).encode("utf-16-be"), {"encoding": "utf-16-be"}, _SIMPLE
    ),
    "cp1252": DialectSample(_lines(_LATIN).encode("cp1252"), {"encoding": "cp1252"}, _LATIN),
    "Latin-1 with a control character": DialectSample(
        _lines(_LATIN).replace("ø", "\x81").encode("latin-1"),
        {"encoding": "latin-1"},
        [[cell.replace("ø", "\x81") for cell in row] for row in _LATIN],
    ),
    "cp1250": DialectSample(_lines(_CZECH).encode("cp1250"), {"encoding": "cp1250"}, _CZECH),
    "semicolons": _read(_lines(_SIMPLE, ";"), delimiter=";"),
    "tabs": _read(_lines(_SIMPLE, "\t"), delimiter="\t"),
    "bars": _read(_lines(_SIMPLE, "|"), delimiter="|"),
    "blanks": _read(_lines(_SIMPLE[:-1], " "), _SIMPLE[:-1], delimiter=" "),
    "several blanks": _read(
        "city  visits\t spent\n  Köln   1100  12.5 \nŁódź 7   1234.25\n", _SIMPLE[:-1], delimiter=" ", padded=True
    ),
    "decimal comma": _read(
        "city;visits;spent\nKöln;1100;12,5\nŁódź;7;1234,25\n;950;0,75\n", delimiter=";", decimal=","
    ),
    "groups with points": _read(_GERMAN, delimiter=";", decimal=",", thousands="."),
    "groups with commas": _read('city,visits,spent\nKöln,"1,100",12.5\nŁódź,7,"1,234.25"\n,950,0.75\n', thousands=","),
    "groups with blanks": _read(
        "city;visits;spent\nKöln;1 100;12,5\nŁódź;7;1\u00a0234,25\n;950;0,75\n",
        delimiter=";",
        decimal=",",
        thousands=" ",
    ),
    "groups with apostrophes": _read(
        "city,visits,spent\nKöln,1'100,12.5\nŁódź,7,1\u2019234.25\n,950,0.75\n", thousands="'"
    ),
    "words for missing": _read(_lines(_SIMPLE).replace("\n,950", "\nn/a,950"), null_values=("", "n/a")),
    "line breaks in quotes": _read(_lines([[f'"{cell}"' for cell in row] for row in _BREAKS]), _BREAKS, multiline=True),
    "line breaks in names": _read(
        _lines(_SIMPLE).replace("visits", '"vis\nits"'),
        [["city", "vis its", "spent"], *_SIMPLE[1:]],
        multiline=True,
    ),
    "titles": _read("Report of May\n\nin euros, all shops\n" + _lines(_SIMPLE), skip_lines=3),
    "comments": _read("# made by hand\n" + _lines(_SIMPLE).replace("\nŁ", '\n# an "odd, line\nŁ'), comment="#"),
    "comments among line breaks": _read(
        '# 5" wide\n' + _lines([[f'"{cell}"' for cell in row] for row in _BREAKS]).replace("\nŁ", "\n# a\nŁ"),
        [[cell.replace("Łódź\nold", "Łódź\nold") for cell in row] for row in _BREAKS],
        comment="#",
        multiline=True,
    ),
    "blank lines": _read("\n" + _lines(_SIMPLE).replace("\n", "\n\n, ,\n"), skip_blank_lines=True),
    "padding": _read("city, visits , spent\n Köln , 1100,12.5\nŁódź,\t7, 1234.25 \n  , 950,0.75\n", padded=True),
    "padding around quotes": _read(
        ' "city" , visits, spent\n"Köln" ,1100, "12.5"\n "Łódź, old", 7,1234.25\n"",950 ,0.75 \n',
        PLAIN_TABLE,
        padded=True,
    ),
    "delimiters at the ends": _read(_lines(_SIMPLE).replace("\n", ",\n"), trailing_delimiter=True),
    "delimiters at the ends of rows": _read(
        "city,visits,spent\nKöln,1100,12.5,\nŁódź,7,1234.25,,,\n,950,0.75\n", trailing_delimiter=True
    ),
    "the index of pandas": _read(
        ",city,visits,spent\n0,Köln,1100,12.5\n1,Łódź,7,1234.25\n2,,950,0.75\n",
        [["row", *_SIMPLE[0]], *([str(number), *row] for number, row in enumerate(_SIMPLE[1:]))],
        index_column="row",
    ),
    "the row names of R": _read(
        '"city" "visits" "spent"\n"1" "Köln" 1100 12.5\n"2" "Łódź" 7 1234.25\n',
        [["row", *_SIMPLE[0]], ["1", *_SIMPLE[1]], ["2", *_SIMPLE[2]]],
        delimiter=" ",
        index_column="row",
    ),
    "no header": _read(_lines(_SIMPLE[1:]), names=("city", "visits", "spent")),
}


def declared(sample: DialectSample) -> Schema:
    """Return a declaration of the columns of a sample, in its dialect."""
    names = [name for name in sample.table[0] if name != "spent"]
    kinds = {name: ("text", "string") if name == "city" else ("integer", "Int64") for name in names}
    columns = (Column(name, kind, dtype, nullable=True) for name, (kind, dtype) in kinds.items())
    return Schema(
        "shops",
        (*columns, Column("spent", "float", "Float64", nullable=True)),
        Target("y", ("a", "b"), "b"),
        dialect=CsvDialect(**sample.settings).as_settings(),
    )
