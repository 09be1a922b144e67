from __future__ import annotations

import pytest

from pipeline.errors import DependencyUnavailable
from pipeline.serving.http.server import bind_socket


def test_port_0_selects_a_free_port_and_a_taken_port_is_refused() -> None:
    with bind_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert port > 0
        with pytest.raises(
            DependencyUnavailable, match=rf"127\.0\.0\.1:{port}: the server cannot listen .*another --port"
        ):
            bind_socket("127.0.0.1", port)


def test_an_address_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(DependencyUnavailable, match="the server cannot listen"):
        bind_socket("192.0.2.1", 0)
