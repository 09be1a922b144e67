"""What a stream needs before it starts."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from pipeline.streaming.stream_startup import require_stream
from tests.fixtures.toy_dataset import settings


def test_without_a_stream_the_message_names_the_choice() -> None:
    with pytest.raises(ConfigError, match=r"stream is none: .* stream=kafka"):
        require_stream(settings())


def test_a_stream_needs_the_log() -> None:
    with pytest.raises(ConfigError, match=r"serving\.log\.mode is none"):
        require_stream(settings("stream=kafka", "serving.log.mode=none"))


def test_a_configured_stream_is_returned() -> None:
    assert require_stream(settings("stream=kafka")).group == "personality_model-scoring"
