"""Say what is wrong with a request as an RFC 9457 problem document that teaches its reader."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pipeline.errors import Conflict, DependencyUnavailable, MlopsError
from pipeline.serving import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MEDIA_TYPE", "HttpProblem", "problem_document", "problem_from_error", "problem_types"]

MEDIA_TYPE = b"application/problem+json"


class _ProblemType(NamedTuple):
    """A kind of problem: its status, its title, and the error classes that become it."""

    status: int
    title: str
    raised_as: tuple[type[MlopsError], ...] = ()


# The kind ends the `type` of the document.
_PROBLEM_TYPES: dict[str, _ProblemType] = {
    "bad-request": _ProblemType(400, "The request cannot be read"),
    "invalid-json": _ProblemType(400, "The body is not strict JSON", (errors.MalformedBody,)),
    "credential-missing": _ProblemType(401, "A credential is needed"),
    "credential-refused": _ProblemType(401, "The credential is not accepted"),
    "role-missing": _ProblemType(403, "The credential lacks the role"),
    "host-refused": _ProblemType(403, "The request is meant for another host"),
    "origin-refused": _ProblemType(403, "The request comes from another site"),
    "not-found": _ProblemType(404, "Nothing is here"),
    "unknown-prediction": _ProblemType(404, "No such prediction is in the log", (errors.UnknownPrediction,)),
    "method-not-allowed": _ProblemType(405, "The method is not the one of this path"),
    "too-slow": _ProblemType(408, "The request did not arrive in time"),
    "conflict": _ProblemType(409, "Something else was first", (Conflict,)),
    "key-conflict": _ProblemType(409, "The idempotency key belongs to another request", (errors.IdempotencyConflict,)),
    "too-large": _ProblemType(413, "The body is too large", (errors.BodyTooLarge,)),
    "unsupported-media-type": _ProblemType(415, "The body is of another kind"),
    "invalid-rows": _ProblemType(422, "The rows are not what the schema declares", (errors.InvalidRequest,)),
    "too-many-requests": _ProblemType(429, "Too many requests"),
    "head-too-large": _ProblemType(431, "The head of the request is too large"),
    "bug": _ProblemType(500, "A bug of ours", (MlopsError,)),
    "overloaded": _ProblemType(503, "The server has more work than it can do"),
    "not-ready": _ProblemType(
        503,
        "The server cannot answer now",
        (
            errors.NotReady,
            errors.LogQueueFull,
            errors.LogUnavailable,
            errors.StateUnavailable,
            DependencyUnavailable,
        ),
    ),
}
_KIND_BY_ERROR = {error: kind for kind, row in _PROBLEM_TYPES.items() for error in row.raised_as}
_DEPENDENCY_RETRY_AFTER_S = 2


class HttpProblem(Exception):
    """A request that gets a problem document for an answer.

    Parameters
    ----------
    kind : str
        A word of the table of problems; it decides status, type and title.
    detail : str
        What was expected and what to do; never what was sent.
    headers : mapping
        Header fields to add, such as Retry-After.
    problems : sequence of mappings
        One entry for each place, with `path`, `rule` and `message`.
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


def problem_document(problem: HttpProblem, *, request_id: str, is_inference: bool = False) -> bytes:
    """Return the body of the answer; clients of the Open Inference Protocol look for the member `error`."""
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
    """Return the problem of an error, by the table above; the details of a fault of ours stay in the server's log."""
    kind = next((_KIND_BY_ERROR[base] for base in type(error).__mro__ if base in _KIND_BY_ERROR), "bug")
    if kind == "bug":
        return HttpProblem(kind, "this is a bug of ours; the server's log has it under the request_id")
    if isinstance(error, errors.InvalidRequest):
        faults = [{"path": fault.path, "rule": fault.rule, "message": fault.message} for fault in error.errors]
        return HttpProblem(kind, str(error), problems=faults, n_problems=error.n_errors)
    if isinstance(error, errors.NotReady):
        return HttpProblem(kind, str(error), headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, DependencyUnavailable):
        retry_after = {"Retry-After": str(_DEPENDENCY_RETRY_AFTER_S)}
        return HttpProblem(kind, "a dependency of the server is unavailable; try again", headers=retry_after)
    return HttpProblem(kind, str(error))


def problem_types() -> dict[str, tuple[HTTPStatus, str]]:
    """Return the status and title of each kind; the table of the documentation is held to it."""
    return {kind: (HTTPStatus(row.status), row.title) for kind, row in _PROBLEM_TYPES.items()}
