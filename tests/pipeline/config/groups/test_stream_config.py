"""Settings of streams: names of variables in place of secrets, and topics that a broker accepts."""

from __future__ import annotations

import pytest

from pipeline.config.config_loader import build_config
from pipeline.errors import ConfigError
from tests.fixtures.composed_config import composed


@pytest.mark.parametrize(
    "override",
    [
        "stream.brokers_env=broker:9092",
        "stream.password_env=hunter2",
        "stream.topics.events='two words'",
        "stream.topics.dead=events",
        "stream.group=''",
        "stream.batch_rows=0",
        "stream.on_log_failure=ignore",
        "stream.client.sasl_mechanism=GSSAPI",
        "+stream.client.debug=all",
    ],
)
def test_a_setting_that_no_stream_can_have_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=r"stream\."):
        build_config(composed("stream=kafka", override).values, where="conf")


def test_no_stream_has_no_settings() -> None:
    assert composed().values["stream"] == {"kind": "none"}
