"""A JSON column that was changed by hand is named, and no traceback follows from it."""

from __future__ import annotations

import pytest

from pipeline.errors import IntegrityError
from pipeline.state.stored_json import parse_stored_object


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"x"', "[" * 100_000])
def test_what_is_no_json_object_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(IntegrityError, match="versions m, 1: tags is no JSON object"):
        parse_stored_object(text, table="versions", row="m, 1", column="tags")
