"""The table of operations: method, path, role, handler. One without a role stops the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, did_you_mean
from pipeline.serving.http.access import PUBLIC, ROLES
from pipeline.serving.http.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pipeline.serving.http.calls import Answer, Call

    Handler = Callable[[Call], Awaitable[Answer]]

__all__ = ["Operation", "Routes"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API does.

    `path` may hold `{name}` parts. `accepts` are media types of the body; empty where there is none. A probe is
    answered whatever happens: it is never shed, limited, or asked for its host. `body` and `answer` name shapes of
    the OpenAPI document, `parameters` those that it describes, and `queries` those of them that stand in the query.
    """

    name: str
    method: str
    path: str
    role: str | None
    handler: Handler
    accepts: tuple[str, ...] = ()
    summary: str = ""
    body: str | None = None
    answer: str | None = "Status"
    answers_with: str = "application/json"
    parameters: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    is_probe: bool = False
    kind_may_be_missing: bool = False


@dataclass(slots=True)
class Routes:
    """Finds the operation of a request.

    Raises
    ------
    ConfigError
        When an operation declares no role, or one that does not exist; and when two answer to the same path.
    """

    operations: tuple[Operation, ...]
    _exact: dict[str, dict[str, Operation]] = field(default_factory=dict)
    _templates: dict[tuple[str, ...], dict[str, Operation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation in self.operations:
            if operation.role not in (PUBLIC, *ROLES):
                raise ConfigError(
                    f"{operation.method} {operation.path}: declares no role; one of {PUBLIC}, {', '.join(ROLES)}"
                )
            is_template = "{" in operation.path
            methods = (
                self._templates.setdefault(tuple(operation.path.split("/")), {})
                if is_template
                else self._exact.setdefault(operation.path, {})
            )
            if operation.method in methods:
                raise ConfigError(f"{operation.method} {operation.path}: is declared twice")
            methods[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
        """Return the operation of a request and the parts of its path that have names.

        Raises
        ------
        Refused
            With 404 or 405.
        """
        methods = self._exact.get(path)
        parameters: dict[str, str] = {}
        if methods is None:
            methods, parameters = self._by_template(path)
        if methods is None:
            known = sorted({operation.path for operation in self.operations})
            raise Refused("not-found", f"known paths: {', '.join(known)}{did_you_mean(path, known)}")
        operation = methods.get("GET" if method == "HEAD" else method)
        if operation is None:
            allowed = ", ".join(_allowed(methods))
            raise Refused("method-not-allowed", f"this path answers to {allowed}", headers={"Allow": allowed})
        return operation, parameters

    def _by_template(self, path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
        parts = path.split("/")
        for template, methods in self._templates.items():
            if len(template) == len(parts):
                pairs = list(zip(template, parts, strict=True))
                if all(part if _is_name(name) else name == part for name, part in pairs):
                    return methods, {name[1:-1]: part for name, part in pairs if _is_name(name)}
        return None, {}


def _is_name(part: str) -> bool:
    return part.startswith("{")


def _allowed(methods: Iterable[str]) -> list[str]:
    return sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
