"""An error of an extension names the extension; errors of the engine pass unchanged."""

import pytest

from pipeline.errors import DataError, ExtensionFailed
from pipeline.extensions import call_extension


def divide(value: float, *, by: float) -> float:
    return value / by


def refuse() -> None:
    raise DataError("rows: none")


def test_the_result_of_the_function_is_returned():
    assert call_extension("metric share", divide, 1.0, by=4.0) == 0.25


def test_an_error_names_the_extension_and_the_reason():
    with pytest.raises(ExtensionFailed, match=rf"metric share of the extension {__name__}: ZeroDivisionError: .*zero"):
        call_extension("metric share", divide, 1.0, by=0.0)


def test_an_exit_is_an_error_of_the_extension():
    with pytest.raises(ExtensionFailed, match="receiver pager of the extension _sitebuiltins: SystemExit: 0"):
        call_extension("receiver pager", exit, 0)


def test_an_error_of_the_engine_passes_unchanged():
    with pytest.raises(DataError, match="rows: none"):
        call_extension("splitter days", refuse)
