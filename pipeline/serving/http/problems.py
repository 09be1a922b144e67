"""Turn errors into problem documents (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.errors import Conflict, DependencyUnavailable, MlopsError
from pipeline.serving import serving_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "HttpProblem",
    "is_inference_path",
    "problem_document",
    "problem_from_error",
    "problem_media_type",
    "problem_types",
]

PROBLEM_MEDIA_TYPE = b"application/problem+json"
# Clients of KServe and Triton read the member `error` of a problem, those of KServe from application/json alone.
_INFERENCE_PATHS = ("/v2/", "/v1/models/")
_INFERENCE_MEDIA_TYPE = b"application/json"


class _ProblemType(NamedTuple):
    """A kind of problem: its status, its title, and the error classes that become it."""

    status: int
    title: str
    raised_as: tuple[type[MlopsError], ...] = ()


# The kind ends the `type` of the document.
_PROBLEM_TYPES: dict[str, _ProblemType] = {
    "bad-request": _ProblemType(400, "The request is malformed"),
    "invalid-json": _ProblemType(400, "The body is not strict JSON", (serving_errors.MalformedBody,)),
    "credential-missing": _ProblemType(401, "A credential is required"),
    "credential-refused": _ProblemType(401, "The credential is not valid"),
    "role-missing": _ProblemType(403, "The credential lacks the role"),
    "host-refused": _ProblemType(403, "The request is addressed to another host"),
    "origin-refused": _ProblemType(403, "The request comes from another site"),
    "not-found": _ProblemType(404, "The path does not exist"),
    "unknown-prediction": _ProblemType(404, "The prediction is not in the log", (serving_errors.UnknownPrediction,)),
    "method-not-allowed": _ProblemType(405, "The path does not accept this method"),
    "too-slow": _ProblemType(408, "The request did not arrive in time"),
    "conflict": _ProblemType(409, "Another request was first", (Conflict,)),
    "key-conflict": _ProblemType(
        409, "The idempotency key belongs to another request", (serving_errors.IdempotencyConflict,)
    ),
    "too-large": _ProblemType(413, "The body is too large", (serving_errors.BodyTooLarge,)),
    "unsupported-media-type": _ProblemType(415, "The media type is not accepted"),
    "invalid-rows": _ProblemType(422, "The rows do not match the schema", (serving_errors.InvalidRequest,)),
    "too-many-requests": _ProblemType(429, "Too many requests"),
    "head-too-large": _ProblemType(431, "The headers are too large"),
    "bug": _ProblemType(500, "Internal error", (MlopsError,)),
    "overloaded": _ProblemType(503, "The server is overloaded"),
    "not-ready": _ProblemType(
        503,
        "The server is not ready",
        (
            serving_errors.NotReady,
            serving_errors.LogQueueFull,
            serving_errors.LogUnavailable,
            serving_errors.StateUnavailable,
            DependencyUnavailable,
        ),
    ),
}
_KIND_BY_ERROR = {error: kind for kind, row in _PROBLEM_TYPES.items() for error in row.raised_as}
_DEPENDENCY_RETRY_AFTER_S = 2


class HttpProblem(Exception):
    """An error whose response is a problem document.

    Parameters
    ----------
    kind : str
        A key of the table of problem types, which has its status and title.
    detail : str
        What was expected and what to do next; never a value that was sent.
    headers : mapping
        Further response headers, such as Retry-After.
    problems : sequence of mappings
        One entry for each invalid field, with `path`, `rule` and `message`.
    n_problems : int
        Number of all invalid fields; that of `problems` when 0.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        problems: Sequence[Mapping[str, str]] = (),
        n_problems: int = 0,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = _PROBLEM_TYPES[kind].status
        self.detail = detail
        self.headers = dict(headers or {})
        self.problems = problems
        self.n_problems = n_problems or len(problems)


def is_inference_path(path: str) -> bool:
    """Whether a path is of a protocol whose clients read problems in their own way."""
    return path.startswith(_INFERENCE_PATHS)


def problem_media_type(path: str) -> bytes:
    """Return the media type of a problem in the response to a request of this path."""
    return _INFERENCE_MEDIA_TYPE if is_inference_path(path) else PROBLEM_MEDIA_TYPE


def problem_document(problem: HttpProblem, *, request_id: str, is_inference: bool = False) -> bytes:
    """Return the response body; clients of the Open Inference Protocol read its member `error`."""
    status, title, _ = _PROBLEM_TYPES[problem.kind]
    document: dict[str, Any] = {
        "type": f"urn:mlops:problem:{problem.kind}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if is_inference:
        document["error"] = problem.detail
    if problem.problems:
        document["n_problems"] = problem.n_problems
        document["problems"] = list(problem.problems)
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def problem_from_error(error: Exception) -> HttpProblem:
    """Return the problem of an error, by its class; the details of an internal error stay in the server's log."""
    kind = next((_KIND_BY_ERROR[base] for base in type(error).__mro__ if base in _KIND_BY_ERROR), "bug")
    if kind == "bug":
        return HttpProblem(kind, "internal error; the server's log has the traceback under this request_id")
    if isinstance(error, serving_errors.InvalidRequest):
        faults = [{"path": fault.path, "rule": fault.rule, "message": fault.message} for fault in error.errors]
        return HttpProblem(kind, str(error), problems=faults, n_problems=error.n_errors)
    if isinstance(error, serving_errors.NotReady):
        return HttpProblem(kind, str(error), headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, DependencyUnavailable):
        retry_after = {"Retry-After": str(_DEPENDENCY_RETRY_AFTER_S)}
        return HttpProblem(kind, "a dependency of the server is unavailable; try again", headers=retry_after)
    return HttpProblem(kind, str(error))


def problem_types() -> dict[str, tuple[HTTPStatus, str]]:
    """Return the status and title of each kind; a test compares them with docs/reference/serving.md."""
    return {kind: (HTTPStatus(row.status), row.title) for kind, row in _PROBLEM_TYPES.items()}
