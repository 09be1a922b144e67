"""A skops file with foreign types, loaders or nesting is refused before anything is built."""

from __future__ import annotations

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import skops_file
from tests.pipeline.package.test_tampering import FORGED, _archive


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_a_forged_skops_file_is_not_read_by_itself(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        skops_file.load_estimator(data)


def test_a_schema_nested_without_end_is_refused() -> None:
    deep: object = {}
    for _ in range(300):
        deep = {"__class__": "list", "content": deep}
    with pytest.raises(IntegrityError, match=r"model\.skops"):
        skops_file.load_estimator(_archive(deep))
