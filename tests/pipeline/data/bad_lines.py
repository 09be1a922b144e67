"""Files of three columns with many lines that are no rows, and files without a usable first line."""

from __future__ import annotations

__all__ = ["EMPTY_FIRST_LINES", "MANY_BAD_LINES"]

N_BAD_LINES = 300
_HEADER = b"visits,plan,answer\n"
_SOUND = b"1,a,no\n2,b,yes\n"

MANY_BAD_LINES: dict[str, bytes] = {
    "fields too many": _HEADER + b"1,a,no,x\n" * N_BAD_LINES + _SOUND,
    "fields too few": _HEADER + b"1,a\n" * N_BAD_LINES + _SOUND,
    "empty lines": _HEADER + b"\n" * N_BAD_LINES + _SOUND,
    "one line above the limit": _HEADER + b"1,a,no,x\n" * 101,
    "trailing commas": (_HEADER + _SOUND * N_BAD_LINES).replace(b"no\n", b"no,\n").replace(b"yes\n", b"yes,\n"),
    "open quotes": _HEADER + b'1,"a,no\n' * N_BAD_LINES + _SOUND,
    "stray quotes": _HEADER + b'1,a"b,no\n' * N_BAD_LINES + _SOUND,
    "cells with line breaks": _HEADER + b'1,"a\nb",no\n' * N_BAD_LINES + _SOUND,
    "lone carriage returns": _HEADER + b"1,a\rb,no\n" * N_BAD_LINES + _SOUND,
    "NUL": _HEADER + b"1,a\0,no\n" * N_BAD_LINES + _SOUND,
    "Latin-1": _HEADER + b"1,\xe9,no\n" * N_BAD_LINES + _SOUND,
    "two faults in turn": _HEADER + b'1,a,no,x\n1,"a,no\n1,a\rb,no\n' * N_BAD_LINES + _SOUND,
    "title above the header": b"Report of May\n" + _HEADER + _SOUND * N_BAD_LINES,
    "header one name short": b"plan,answer\n" + b'"1",a,no\n' * N_BAD_LINES,
}

EMPTY_FIRST_LINES: dict[str, bytes] = {
    "one line feed": b"\nanything\n1,No\n",
    "fifty line feeds": b"\n" * 50 + _HEADER + _SOUND,
    "line feeds only": b"\n" * 50,
    "CRLF": b"\r\n" + _HEADER + _SOUND,
    "blanks": b"   \n" + _HEADER + _SOUND,
    "a tab": b"\t\n" + _HEADER + _SOUND,
    "delimiters": b",,\n" + _SOUND,
    "empty quotes": b'"",""\n' + _SOUND,
    "byte order mark": b"\xef\xbb\xbf",
    "byte order mark and a line feed": b"\xef\xbb\xbf\n" + _HEADER + _SOUND,
    "nothing": b"",
}
