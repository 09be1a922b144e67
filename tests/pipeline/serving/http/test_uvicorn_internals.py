"""The private parts of uvicorn that protocol.py, application.py and server.py use exist."""

from __future__ import annotations

import ast
import asyncio
import inspect
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pipeline.serving.http import application, protocol, server

PROTOCOL_NAMES = {
    "connection_made", "headers", "parser", "url", "on_message_begin", "on_headers_complete", "on_message_complete",
    "on_response_complete", "pause_writing", "resume_writing", "send_400_response", "shutdown",
    "timeout_keep_alive_handler", "_start_asgi_task",
    "cycle", "flow", "loop", "pipeline", "server_state", "tasks", "timeout_keep_alive", "transport",
}  # fmt: skip
CYCLE_NAMES = {
    "body", "default_headers", "disconnected", "flow", "keep_alive", "message_event", "more_body", "on_response",
    "response_complete", "response_started", "run_asgi", "scope", "transport", "waiting_for_100_continue",
}  # fmt: skip
FLOW_NAMES = {"drain", "resume_reading", "write_paused"}
SERVER_STATE_NAMES = {"connections", "default_headers", "total_requests"}
SERVER_NAMES = {
    "capture_signals", "config", "handle_exit", "on_tick", "server_state", "serve", "servers", "shutdown", "started",
    "startup",
}  # fmt: skip
# Overridden or called: uvicorn and we must agree on the parameters.
PARAMETERS = {
    (HttpToolsProtocol, "__init__"): ["self", "config", "server_state", "app_state", "_loop"],
    (HttpToolsProtocol, "_start_asgi_task"): ["self", "cycle", "app"],
    (HttpToolsProtocol, "connection_made"): ["self", "transport"],
    (HttpToolsProtocol, "data_received"): ["self", "data"],
    (HttpToolsProtocol, "send_400_response"): ["self", "msg"],
    (RequestResponseCycle, "run_asgi"): ["self", "app"],
    (uvicorn.Server, "on_tick"): ["self", "counter"],
    (uvicorn.Server, "shutdown"): ["self", "sockets"],
    (uvicorn.Server, "startup"): ["self", "sockets"],
}


def uvicorn_changed(name: str) -> str:
    return f"uvicorn changed {name}: adapt pipeline/serving/http/{{protocol,server}}.py, then raise the upper bound"


async def ignore(_scope: Any, _receive: Any, _send: Any) -> None:
    """Handle no request."""


def owners() -> dict[str, Any]:
    """Return an object of each class, so that attributes set in `__init__` count."""
    loop = asyncio.new_event_loop()
    config = uvicorn.Config(
        ignore, interface="asgi3", http=HttpToolsProtocol, ws="none", lifespan="off", log_config=None
    )
    connection = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    loop.close()
    parameters = inspect.signature(RequestResponseCycle).parameters
    cycle = RequestResponseCycle(**dict.fromkeys(parameters))  # type: ignore[arg-type] - the values are not used
    flow = FlowControl(asyncio.Transport())
    return {
        "HttpToolsProtocol": connection,
        "RequestResponseCycle": cycle,
        "FlowControl": flow,
        "ServerState": ServerState(),
        "Server": uvicorn.Server(config),
    }


NAMES = {
    "HttpToolsProtocol": PROTOCOL_NAMES,
    "RequestResponseCycle": CYCLE_NAMES,
    "FlowControl": FLOW_NAMES,
    "ServerState": SERVER_STATE_NAMES,
    "Server": SERVER_NAMES,
}


@pytest.mark.parametrize("owner", NAMES)
def test_uvicorn_has_every_name_that_we_use(owner: str) -> None:
    instance = owners()[owner]
    source = inspect.getsource(type(instance))
    for name in sorted(NAMES[owner]):
        # Some attributes are set when a server starts: the source has them.
        assert hasattr(instance, name) or f"self.{name} = " in source, uvicorn_changed(f"{owner}.{name}")


def test_the_response_starts_with_uvicorns_status_line() -> None:
    assert httptools_impl.STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n", uvicorn_changed("STATUS_LINE")


@pytest.mark.parametrize(("owner", "method"), PARAMETERS, ids=lambda part: getattr(part, "__name__", part))
def test_uvicorns_methods_have_the_parameters_that_we_pass(owner: type, method: str) -> None:
    parameters = list(inspect.signature(getattr(owner, method)).parameters)
    assert parameters == PARAMETERS[owner, method], uvicorn_changed(f"{owner.__name__}.{method}")


def test_the_upper_bound_admits_the_installed_version() -> None:
    major, minor = map(int, uvicorn.__version__.split(".")[:2])
    assert (0, 35) <= (major, minor) < (0, 55)


def used_names(module: Any, *roots: str) -> set[str]:
    """Return the attributes that a module reads or sets on variables or attributes of these names."""
    names = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Attribute):
            value = node.value
            is_super = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "super"
            root = "super" if is_super else getattr(value, "id", getattr(value, "attr", ""))
            if root in roots:
                names.add(node.attr)
    return names


def test_each_internal_that_we_use_is_listed_here() -> None:
    own_protocol, own_server = set(vars(protocol.DeadlineProtocol)), set(vars(server.HttpServer))
    set_by_us = {node for node in used_names(protocol, "self") if node.startswith("_")} - PROTOCOL_NAMES
    used = {
        "HttpToolsProtocol": used_names(protocol, "super") | (used_names(protocol, "self") - own_protocol - set_by_us),
        "RequestResponseCycle": used_names(protocol, "cycle") | used_names(application, "cycle"),
        "FlowControl": used_names(protocol, "flow") | used_names(application, "flow"),
        "ServerState": used_names(protocol, "server_state") | used_names(server, "server_state"),
        "Server": used_names(server, "super")
        | {name for name in used_names(server, "self") - own_server if not name.startswith("_")},
    }
    unlisted = {owner: names - NAMES[owner] - {"__init__"} for owner, names in used.items()}
    assert {owner: names for owner, names in unlisted.items() if names} == {}
