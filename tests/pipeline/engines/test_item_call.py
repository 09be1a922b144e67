"""A call returns its result or its error as bytes, and refuses other versions."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.engines.item_call import ItemCall, dump_value, read_result, software_versions
from pipeline.errors import DataError, DependencyUnavailable
from tests.pipeline.engines.item_functions import raise_unreadable, square


class OwnError(Exception):
    def __init__(self, *, row: int) -> None:
        super().__init__(f"row {row}")


def raise_own(row: int) -> None:
    raise OwnError(row=row)


def return_function(_item: int) -> object:
    return lambda: None


def raise_value(row: int) -> None:
    raise ValueError("no row", row)


def test_a_result_is_read() -> None:
    assert read_result(ItemCall(square)(dump_value(3))) == 9


def test_an_error_is_raised_as_it_was_with_the_traceback_of_its_worker() -> None:
    with pytest.raises(ValueError, match="no row") as raised:
        read_result(ItemCall(raise_value)(dump_value(3)))
    assert raised.value.args == ("no row", 3)
    assert "in raise_value" in str(raised.value.__cause__)


# Where `distributed` is imported, tblib lets every error be read.
def test_an_error_that_cannot_be_read_keeps_its_meaning() -> None:
    with pytest.raises(DataError, match="row 3, column age"):
        read_result(ItemCall(raise_unreadable)(dump_value(3)))


def test_an_unreadable_error_of_others_is_named() -> None:
    with pytest.raises((OwnError, RuntimeError), match="row 3"):
        read_result(ItemCall(raise_own)(dump_value(3)))


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    with pytest.raises((AttributeError, RuntimeError), match=r"(?i)pickle"):
        read_result(ItemCall(return_function)(dump_value(3)))


def test_other_versions_are_refused_with_both() -> None:
    call = ItemCall(square, versions=dict(software_versions()) | {"numpy": "1.0"})
    with pytest.raises(DependencyUnavailable, match=rf"has numpy {np.__version__} instead of 1\.0 of the driver"):
        read_result(call(dump_value(3)))
    assert read_result(ItemCall(square, versions=software_versions())(dump_value(3))) == 9
