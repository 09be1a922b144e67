"""Group `stream`: which Kafka topics `mlops stream` reads and writes; `none` by default."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["KafkaClientConfig", "KafkaStreamConfig", "NoStreamConfig", "StreamConfig", "StreamTopicsConfig"]

_ENV_NAME = r"^[A-Z][A-Z0-9_]*$"  # a name, so that an address or a secret is refused
_TOPIC = r"^[A-Za-z0-9._-]{1,200}$"


class NoStreamConfig(Section):
    """No stream: nothing is installed and nothing is imported."""

    kind: Literal["none"] = setting("No stream")


class StreamTopicsConfig(Section):
    """Topics that are read and written."""

    events: str = setting("Topic with the events", pattern=_TOPIC)
    predictions: str = setting("Topic that gets the predictions", pattern=_TOPIC)
    dead: str = setting("Topic that gets the events without a prediction, with their problem", pattern=_TOPIC)
    outcomes: str = setting("Topic with outcomes of earlier predictions", pattern=_TOPIC)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        """Refuse a name that two keys have: a consumer would read what it writes, without end."""
        names = [self.events, self.predictions, self.dead, self.outcomes]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise ValueError(f"{repeated!r} is the name of two topics; expected four different names")
        return self


class KafkaClientConfig(Section):
    """Settings that librdkafka gets, by its names with dots in place of underscores."""

    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = setting("Protocol of the brokers")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = setting(
        "How user and password are sent; read where the protocol has SASL"
    )
    ssl_ca_location: str | None = setting("File with the certificates of the brokers' authority; null: the system's")
    session_timeout_ms: Positive = setting(
        "Silence after which the group takes a consumer's partitions away", unit="ms"
    )
    heartbeat_interval_ms: Positive = setting("Time between signs of life to the group", unit="ms")
    max_poll_interval_ms: Positive = setting("Longest time between two polls of the consumer", unit="ms")


class KafkaStreamConfig(Section):
    """Events of Kafka, or of another server with its protocol."""

    kind: Literal["kafka"] = setting("Events of Kafka's protocol")
    brokers_env: str = setting(
        "Environment variable with the addresses of the brokers, HOST:PORT,...", pattern=_ENV_NAME
    )
    username_env: str = setting("Environment variable with the user of SASL", pattern=_ENV_NAME)
    password_env: str = setting("Environment variable with the password of SASL", pattern=_ENV_NAME)
    group: str = setting("Consumer group; each group predicts for every event once", pattern=_TOPIC)
    topics: StreamTopicsConfig
    format: Literal["json", "cloudevents"] = setting("Form of an event: the body of a request, or a CloudEvent with it")
    batch_rows: int = setting("Most events of one transaction", unit="events", ge=1, le=20_000)
    wait_ms: int = setting("How long a transaction waits for further events", unit="ms", ge=0, le=10_000)
    key: str | None = setting(
        "Header with the caller's identifier of an event, logged once; null: topic, partition and offset", min_length=1
    )
    outcome_wait_s: float = setting(
        "How long an outcome waits for its prediction, from its moment on, before it is a dead letter",
        unit="s",
        ge=0,
        le=3_600,
    )
    on_log_failure: Literal["pause", "stop"] = setting(
        "What happens when the log cannot be written: wait for it, or end with an error"
    )
    client: KafkaClientConfig


StreamConfig = Annotated[NoStreamConfig | KafkaStreamConfig, Field(discriminator="kind")]
