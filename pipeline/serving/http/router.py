"""Declare endpoints above their handlers, and find the endpoint of a request. One without a role stops the start."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, did_you_mean
from pipeline.serving.http.authentication import PUBLIC, ROLES
from pipeline.serving.http.messages import is_opted_out
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pipeline.serving.http.messages import HttpResponse

    # Declared above a method it takes (self, request); in the router it is bound and takes the request alone.
    Handler = Callable[..., Awaitable[HttpResponse]]

__all__ = ["JSON_ONLY", "Route", "Router", "bind_routes", "declared_routes", "path_param_names", "route"]

JSON_ONLY = ("application/json",)
_ROUTES_ATTRIBUTE = "declared_routes"
_MAX_PATHS = 8  # in a message


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: how it is called, by whom, and which handler responds.

    Parameters
    ----------
    name : str
        Label of the endpoint in metrics, log and traces, and its `operationId` in the OpenAPI document.
    method : str
    path : str
        May hold `{name}` parts, and parts such as `{name}:verb`.
    role : str or None
        Role that a caller needs. The router refuses None.
    handler : callable
        Takes the request, returns the response.
    accepts : tuple of str
        Media types of the request body; empty for an endpoint without a body.
    summary : str
        One line for the OpenAPI document and docs/reference/serving.md.
    tag : str
        Group of the endpoint in the OpenAPI document.
    request, response : str
        Names of JSON Schemas in the OpenAPI document; no request for an endpoint without a body.
    response_media_type : str
    parameters : tuple of str
        Names of the documented header and query parameters.
    query_params : tuple of str
        Those of them that are part of the query.
    unlogged_role : str
        Role that suffices for a request that is not logged, because it has `log=false` or the endpoint logs nothing.
    is_probe : bool
        A probe is never shed, limited, or checked for its host.
    allows_missing_content_type : bool
    """

    name: str
    method: str
    path: str
    role: str | None
    handler: Handler
    accepts: tuple[str, ...] = ()
    summary: str = ""
    tag: str = "operation"
    request: str | None = None
    response: str = "Text"
    response_media_type: str = "application/json"
    parameters: tuple[str, ...] = ()
    query_params: tuple[str, ...] = ()
    unlogged_role: str = ""
    is_probe: bool = False
    allows_missing_content_type: bool = False

    def accepted_roles(self, query_string: bytes) -> tuple[str, ...]:
        """Return the roles of which the caller of a request needs one."""
        role = self.role or ""
        if not self.unlogged_role:
            return (role,)
        if "log" not in self.query_params:
            return (role, self.unlogged_role)
        return (self.unlogged_role,) if is_opted_out(query_string) else (role,)


def route(
    method: str, path: str, *, role: str | None = None, name: str = "", **options: Any
) -> Callable[[Handler], Handler]:
    """Declare that the decorated method handles `method` and `path`; several declarations may precede one method.

    Parameters
    ----------
    method, path : str
    role : str, optional
        Required by the router, which refuses to start without it.
    name : str, optional
        Name of the method when empty.
    **options
        The other fields of `Route`, by name.
    """

    def declare(handler: Handler) -> Handler:
        declared = Route(name or handler.__name__, method, path, role, handler, **options)
        # The lowest decorator runs first: the table lists the routes in the order of the source.
        setattr(handler, _ROUTES_ATTRIBUTE, (declared, *getattr(handler, _ROUTES_ATTRIBUTE, ())))
        return handler

    return declare


def declared_routes(*classes: type) -> tuple[Route, ...]:
    """Return the routes that the methods of classes declare, in the order of the source."""
    members = [member for endpoints in classes for member in vars(endpoints).values()]
    return tuple(declared for member in members for declared in getattr(member, _ROUTES_ATTRIBUTE, ()))


def bind_routes(endpoints: object) -> tuple[Route, ...]:
    """Return the routes that the class of an object declares, with handlers bound to that object."""
    return tuple(
        replace(declared, handler=getattr(endpoints, declared.handler.__name__))
        for declared in declared_routes(type(endpoints))
    )


@dataclass(slots=True)
class Router:
    """Finds the route of a request.

    Raises
    ------
    ConfigError
        When a route declares no role or an unknown role, and when two routes have the same method and path.
    """

    routes: tuple[Route, ...]
    _by_path: dict[str, dict[str, Route]] = field(default_factory=dict)
    _templates: dict[tuple[str, ...], dict[str, Route]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for declared in self.routes:
            label = f"{declared.method} {declared.path}"
            if declared.role not in (PUBLIC, *ROLES):
                raise ConfigError(f"{label}: declares no role; expected one of {PUBLIC}, {', '.join(ROLES)}")
            methods = (
                self._templates.setdefault(tuple(declared.path.split("/")), {})
                if "{" in declared.path
                else self._by_path.setdefault(declared.path, {})
            )
            if declared.method in methods:
                raise ConfigError(f"{label}: is declared twice; declare each method and path once")
            methods[declared.method] = declared
        # `{name}` alone accepts the values of `{name}:verb`, too: it is tried last.
        self._templates = dict(sorted(self._templates.items(), key=lambda item: -sum(map(_suffix_length, item[0]))))

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """Return the route of a request and the values of the named parts of its path.

        Raises
        ------
        HttpProblem
            With 404 or 405.
        """
        methods, path_params = self._match(path)
        if methods is None and path.endswith("/"):
            methods, path_params = self._match(path[:-1])  # the protocol's own document names /v2/
        if methods is None:
            raise HttpProblem("not-found", self._not_found_detail(path))
        matched = methods.get("GET" if method == "HEAD" else method)
        if matched is None:
            allowed = ", ".join(_allowed_methods(methods))
            raise HttpProblem("method-not-allowed", f"this path accepts {allowed}", headers={"Allow": allowed})
        return matched, path_params

    def _not_found_detail(self, path: str) -> str:
        """Name the paths that have the longest beginning in common with an unknown one."""
        known = sorted({declared.path for declared in self.routes})
        n_shared = {name: _n_shared_parts(name, path) for name in known}
        most = max(n_shared.values(), default=0)
        near = [name for name in known if n_shared[name] == most]
        rest = (
            ""
            if len(near) == len(known) and len(near) <= _MAX_PATHS
            else "; GET /openapi.json lists all, GET / has links"
        )
        return f"known paths: {', '.join(near[:_MAX_PATHS])}{rest}{did_you_mean(path, known)}"

    def _match(self, path: str) -> tuple[dict[str, Route] | None, dict[str, str]]:
        methods = self._by_path.get(path)
        return self._match_template(path) if methods is None else (methods, {})

    def _match_template(self, path: str) -> tuple[dict[str, Route] | None, dict[str, str]]:
        parts = path.split("/")
        for template, methods in self._templates.items():
            if len(template) == len(parts):
                pairs = list(zip(template, parts, strict=True))
                if all(_matches(name, part) for name, part in pairs):
                    return methods, dict(_path_param(name, part) for name, part in pairs if _is_path_param(name))
        return None, {}


def path_param_names(path: str) -> list[str]:
    """Return the names of the named parts of a path."""
    return [_path_param(part, "")[0] for part in path.split("/") if _is_path_param(part)]


def _is_path_param(part: str) -> bool:
    return part.startswith("{")


def _suffix_length(name: str) -> int:
    return len(name.partition("}")[2])


def _n_shared_parts(template: str, path: str) -> int:
    pairs = zip(template.split("/"), path.split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: _matches(*pair), pairs))


def _matches(name: str, part: str) -> bool:
    if not _is_path_param(name):
        return name == part
    suffix = name.partition("}")[2]
    return len(part) > len(suffix) and part.endswith(suffix)


def _path_param(name: str, part: str) -> tuple[str, str]:
    param, _, suffix = name[1:].partition("}")
    return param, part.removesuffix(suffix)


def _allowed_methods(methods: Iterable[str]) -> list[str]:
    return sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
