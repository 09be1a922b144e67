"""Read CSV files that nothing is declared of: find their dialect with the evidence for it, then read them strictly."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_advice import name_setting
from pipeline.data.csv_encoding import EncodedStream, detect_encoding_mark, detect_utf16
from pipeline.data.csv_layout import detect_layout
from pipeline.data.csv_reader import open_binary, read_csv_as_text
from pipeline.data.input_problems import to_data_error
from pipeline.data.number_detection import detect_signs
from pipeline.data.number_signs import rewrite_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pipeline.config.groups.source_config import Encoding
    from pipeline.data.input_problems import InputProblem

__all__ = ["DetectedCsv", "DialectFinding", "detect_csv"]

_SAMPLE_BYTES = 1 << 18
_BLOCK_BYTES = 8 << 20
_MAX_SAMPLE_LINES = 1000
_CONTEXT_BYTES = 12
_MANY_CHARACTERS = 20
_UNDEFINED_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
# What the first lines may not show, and the strict reader finds anywhere in a file.
_LATER_SETTINGS: dict[str, tuple[Any, str]] = {
    "multiline": (True, "cells in quotes have line breaks"),
    "skip_blank_lines": (True, "there are lines without a value between rows"),
    "trailing_delimiter": (True, "lines end with empty fields beyond the names"),
    "comment": ("#", "lines that start with # are no rows"),
}


@dataclass(frozen=True, slots=True)
class DialectFinding:
    """One assumption about the files.

    Attributes
    ----------
    key : str
        The key of `data.source`.
    value : str, int, bool, list or None
        Its value; None where the key is not set, since the evidence is ambiguous.
    evidence : str
        What the files show.
    alternative : str or None
        The setting that reads them in another way.
    """

    key: str
    value: Any
    evidence: str
    alternative: str | None = None

    @property
    def note(self) -> str:
        """The assumption as one line of a report."""
        setting = "" if self.value is None else f" ({name_setting(self.key, self.value)})"
        alternative = "" if self.alternative is None else f"; {self.alternative}"
        return f"{self.evidence}{setting}{alternative}"


@dataclass(frozen=True, slots=True)
class DetectedCsv:
    """The texts of each file, with a decimal point and no groups in numbers, their dialect and the evidence."""

    tables: tuple[pa.Table, ...]
    dialect: CsvDialect
    findings: tuple[DialectFinding, ...]


def detect_csv(files: Sequence[Path]) -> DetectedCsv:
    """Return the texts of files that share one dialect, and the dialect of the first one.

    Numbers of three digits behind each comma, such as 1,100, stay texts unless another number of the files decides.

    Raises
    ------
    DataError
        When a file cannot be read, or has lines that no setting accepts; each with its place.
    """
    encoding, findings = _detect_encoding(files)
    layout = detect_layout(_first_lines(files[0], encoding))
    findings += [DialectFinding(key, value, layout.evidence[key]) for key, value in layout.settings.items()]
    dialect = CsvDialect.from_settings({"encoding": encoding, **layout.settings})
    tables, problems = _read_all(files, dialect)
    if problems:
        dialect, tables, problems = _try_line_breaks(files, dialect, problems)
        findings += [DialectFinding("multiline", *_LATER_SETTINGS["multiline"])] if dialect.multiline else []
    for _ in _LATER_SETTINGS:
        later = [key for key in _named_keys(problems) if key not in {finding.key for finding in findings}]
        if not later:
            break
        findings += [DialectFinding(key, *_LATER_SETTINGS[key]) for key in later]
        dialect = dialect.model_copy(update={key: _LATER_SETTINGS[key][0] for key in later})
        tables, problems = _read_all(files, dialect)
    if problems:
        raise to_data_error(problems)
    return _with_signs(tables, dialect, findings)


def _try_line_breaks(
    files: Sequence[Path], dialect: CsvDialect, problems: list[InputProblem]
) -> tuple[CsvDialect, list[pa.Table], list[InputProblem]]:
    """Allow line breaks in quotes if that reads more lines: without it, what is inside quotes looks like rows."""
    changed = dialect.model_copy(update={"multiline": True})
    tables, remaining = _read_all(files, changed)
    if not remaining or remaining[0].line > problems[0].line:
        return changed, tables, remaining
    return dialect, [], problems


def _read_all(files: Sequence[Path], dialect: CsvDialect) -> tuple[list[pa.Table], list[InputProblem]]:
    tables = []
    for file in files:
        table, problems = read_csv_as_text(file, dialect)
        if problems:
            return [], problems
        tables.append(table)
    return tables, []


def _named_keys(problems: Iterable[InputProblem]) -> list[str]:
    """Return the settings that accept one of the problems, in a fixed order."""
    remedies = " ".join(problem.remedy or "" for problem in problems)
    return [key for key in _LATER_SETTINGS if f"data.source.{key}: " in remedies]


def _with_signs(tables: Sequence[pa.Table], dialect: CsvDialect, findings: list[DialectFinding]) -> DetectedCsv:
    names = set(tables[0].column_names).intersection(*(table.column_names for table in tables))
    joined = pa.concat_tables([table.select(sorted(names)) for table in tables])
    signs = detect_signs({name: joined.column(name) for name in joined.column_names})
    columns = ", ".join(signs.columns[:5]) + (", ..." if len(signs.columns) > 5 else "")
    if signs.is_ambiguous:
        number = signs.example
        evidence = f"{number} in {columns} can be a number with three decimals or with a group of digits; it stays text"
        alternative = f'data.source.thousands: "," reads {number.replace(",", "")}, data.source.decimal: "," reads ' + (
            number.replace(",", ".")
        )
        findings.append(DialectFinding("thousands", None, evidence, alternative))
        return DetectedCsv(tuple(tables), dialect, tuple(findings))
    evidence = f"numbers such as {signs.example} in {columns}"
    if signs.decimal != ".":
        findings.append(DialectFinding("decimal", signs.decimal, evidence))
    if signs.thousands is not None:
        findings.append(DialectFinding("thousands", signs.thousands, evidence))
    dialect = dialect.model_copy(update={"decimal": signs.decimal, "thousands": signs.thousands})
    rewritten = (rewrite_columns(table, signs.columns, dialect=dialect) for table in tables)
    return DetectedCsv(tuple(rewritten), dialect, tuple(findings))


def _first_lines(path: Path, encoding: Encoding) -> list[str]:
    with open_binary(path) as stream:
        text = EncodedStream(stream, encoding).read(_SAMPLE_BYTES).decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").split("\n")
    # The last line may be cut.
    return lines[: min(_MAX_SAMPLE_LINES, max(len(lines) - 1, 1))]


def _detect_encoding(files: Sequence[Path]) -> tuple[Encoding, list[DialectFinding]]:
    """Return the encoding of the first file that is not plain UTF-8, else UTF-8."""
    for path in files:
        with open_binary(path) as stream:
            start = stream.read(_SAMPLE_BYTES)
        marked = detect_encoding_mark(start)
        if marked == "utf-16":
            return marked, [DialectFinding("encoding", marked, f"{path.name} starts with a byte order mark")]
        if marked is None and (encoding := detect_utf16(start)) is not None:
            return encoding, [DialectFinding("encoding", encoding, f"every other byte of {path.name} is zero")]
        foreign = _find_foreign_bytes(path)
        if foreign is not None:
            encoding = "latin-1" if _has_undefined_bytes(path) else "cp1252"
            line, content = foreign
            shown = content.decode(encoding).strip()
            evidence = f"line {line} of {path.name} is not UTF-8; it reads {shown!r} in {encoding}"
            alternative = "data.source.encoding: another one of the reference, if letters look wrong"
            return encoding, [DialectFinding("encoding", encoding, evidence, alternative)]
    return "utf-8", []


def _has_undefined_bytes(path: Path) -> bool:
    with open_binary(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            if len(block.translate(None, _UNDEFINED_IN_CP1252)) < len(block):
                return True
    return False


def _find_foreign_bytes(path: Path) -> tuple[int, bytes] | None:
    """Return the line and the surroundings of the first bytes that are not UTF-8; None where there are none.

    A text with many sound characters before them is UTF-8 with damaged places, which the reader then reports.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_lines, n_sound = 1, 0
    with open_binary(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                before, behind = bytes(error.object[: error.start]), bytes(error.object[error.start :])
                n_sound += _count_foreign(before.decode("utf-8"))
                start = (
                    before[-_CONTEXT_BYTES:].rpartition(b"\n")[2].decode("utf-8", "ignore").encode("ascii", "ignore")
                )
                place = n_lines + before.count(b"\n"), start + behind[:_CONTEXT_BYTES].partition(b"\n")[0]
                return None if n_sound > _MANY_CHARACTERS else place
            n_lines += block.count(b"\n")
            n_sound += _count_foreign(text)
    return None


def _count_foreign(text: str) -> int:
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))
