"""The address of a cluster is in the environment, and no cluster is started without it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipeline.config.config_loader import load_engine
from pipeline.engines import open_engine
from pipeline.engines.cluster_address import cluster_address
from pipeline.errors import DependencyUnavailable

CONF = Path(__file__).parents[3] / "conf"


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_an_address_that_is_not_set_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_engine(kind, conf=CONF)
    monkeypatch.delenv(config.address_env, raising=False)
    with (
        pytest.raises(
            DependencyUnavailable, match=rf"engine.kind {kind}: the variable MLOPS_{kind.upper()}_ADDRESS is not set"
        ),
        open_engine(config),
    ):
        pass


def test_the_address_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_engine("dask", conf=CONF).model_copy(update={"address_env": "OTHER_ADDRESS"})
    monkeypatch.setenv("OTHER_ADDRESS", "tcp://127.0.0.1:8786")
    assert cluster_address(config, example="") == "tcp://127.0.0.1:8786"


@pytest.mark.parametrize(("kind", "prefix"), [("dask", "tcp://"), ("ray", "")])
def test_a_cluster_that_does_not_respond_is_named(kind: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_engine(kind, conf=CONF).model_copy(update={"timeout_s": 1})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"{prefix}127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv(config.address_env, address)
    with (
        pytest.raises(DependencyUnavailable, match=rf"no cluster responds at {address} \({config.address_env}\)"),
        open_engine(config),
    ):
        pass
