"""Streams are listed once a consumer of this model has reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import streamlit as st

from app import navigation
from app.page_queries import stream_queries
from tests.app.stream_history import add_stream_reports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


def _listed_pages() -> list[str]:
    st.cache_data.clear()
    return [entry.name for entry in navigation.PAGES if entry.is_listed()]


def test_the_page_is_listed_where_a_consumer_of_the_model_has_reported(
    empty: Path, serving: Callable[[str], ModelRegistry]
) -> None:
    serving("iris")
    add_stream_reports(empty, "other_model")
    assert "streams" not in _listed_pages()
    add_stream_reports(empty, "iris_model")
    assert "streams" in _listed_pages()
    assert [partition.lag for partition in stream_queries.stream_facts("iris_model").partitions] == [500, 500]


@pytest.mark.usefixtures("empty")
def test_a_project_without_results_has_no_streams() -> None:
    assert not stream_queries.has_streams()
