"""A version that did not pass its gates is marked as long as it is in Production."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


@pytest.mark.parametrize("name", ["models", "predict"])
def test_a_forced_version_is_marked_with_actor_and_reason(name: str, serving: Callable[[str], ModelRegistry]) -> None:
    serving("iris")
    warnings = [element.value for element in app_page(name).run().warning]
    assert any(
        "in Production without evaluated gates; ada forced it: the first" in text.replace("\\", "") for text in warnings
    )
