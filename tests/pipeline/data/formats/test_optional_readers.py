import json

import pytest

from pipeline.data.formats.optional_readers import import_reader
from pipeline.errors import DependencyUnavailable


def test_an_installed_reader_is_returned() -> None:
    assert import_reader("json", extra="excel", needed_by="book.xlsx") is json


def test_a_missing_reader_names_file_and_command() -> None:
    with pytest.raises(
        DependencyUnavailable, match=r"book\.xlsx: its reader is not installed; run `pip install .*\[excel\]"
    ):
        import_reader("no_such_reader", extra="excel", needed_by="book.xlsx")
