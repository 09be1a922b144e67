"""The table of operations: method, path, role, handler. One without a role stops the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, did_you_mean
from pipeline.serving.http.authentication import PUBLIC, ROLES
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pipeline.serving.http.messages import HttpRequest, HttpResponse

    Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]

__all__ = ["Route", "Router"]


@dataclass(frozen=True, slots=True)
class Route:
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
    request_media_types: tuple[str, ...] = ()
    summary: str = ""
    request_schema: str | None = None
    response_schema: str | None = "Status"
    response_media_type: str = "application/json"
    parameters: tuple[str, ...] = ()
    query_params: tuple[str, ...] = ()
    is_probe: bool = False
    allows_missing_content_type: bool = False


@dataclass(slots=True)
class Router:
    """Finds the operation of a request.

    Raises
    ------
    ConfigError
        When an operation declares no role, or one that does not exist; and when two answer to the same path.
    """

    routes: tuple[Route, ...]
    _by_path: dict[str, dict[str, Route]] = field(default_factory=dict)
    _templates: dict[tuple[str, ...], dict[str, Route]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for operation in self.routes:
            if operation.role not in (PUBLIC, *ROLES):
                raise ConfigError(
                    f"{operation.method} {operation.path}: declares no role; one of {PUBLIC}, {', '.join(ROLES)}"
                )
            is_template = "{" in operation.path
            methods = (
                self._templates.setdefault(tuple(operation.path.split("/")), {})
                if is_template
                else self._by_path.setdefault(operation.path, {})
            )
            if operation.method in methods:
                raise ConfigError(f"{operation.method} {operation.path}: is declared twice")
            methods[operation.method] = operation

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the operation of a request and the parts of its path that have names.

        Raises
        ------
        Refused
            With 404 or 405.
        """
        methods = self._by_path.get(path)
        parameters: dict[str, str] = {}
        if methods is None:
            methods, parameters = self._match_template(path)
        if methods is None:
            known = sorted({operation.path for operation in self.routes})
            raise HttpProblem("not-found", f"known paths: {', '.join(known)}{did_you_mean(path, known)}")
        operation = methods.get("GET" if method == "HEAD" else method)
        if operation is None:
            allowed = ", ".join(_allowed_methods(methods))
            raise HttpProblem("method-not-allowed", f"this path answers to {allowed}", headers={"Allow": allowed})
        return operation, parameters

    def _match_template(self, path: str) -> tuple[dict[str, Route] | None, dict[str, str]]:
        parts = path.split("/")
        for template, methods in self._templates.items():
            if len(template) == len(parts):
                pairs = list(zip(template, parts, strict=True))
                if all(part if _is_path_param(name) else name == part for name, part in pairs):
                    return methods, {name[1:-1]: part for name, part in pairs if _is_path_param(name)}
        return None, {}


def _is_path_param(part: str) -> bool:
    return part.startswith("{")


def _allowed_methods(methods: Iterable[str]) -> list[str]:
    return sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
