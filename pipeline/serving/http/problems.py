"""Say what is wrong with a request as an RFC 9457 problem document that teaches its reader."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MEDIA_TYPE", "HttpProblem", "problem_document", "problem_types"]

MEDIA_TYPE = b"application/problem+json"

# Word of the problem -> its status and its title. The word ends the `type` of the document.
_PROBLEM_TYPES: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be read"),
    "invalid-json": (400, "The body is not strict JSON"),
    "credential-missing": (401, "A credential is needed"),
    "credential-refused": (401, "The credential is not accepted"),
    "role-missing": (403, "The credential lacks the role"),
    "host-refused": (403, "The request is meant for another host"),
    "origin-refused": (403, "The request comes from another site"),
    "not-found": (404, "Nothing is here"),
    "unknown-prediction": (404, "No such prediction is in the log"),
    "method-not-allowed": (405, "The method is not the one of this path"),
    "too-slow": (408, "The request did not arrive in time"),
    "conflict": (409, "Something else was first"),
    "key-conflict": (409, "The idempotency key belongs to another request"),
    "too-large": (413, "The body is too large"),
    "unsupported-media-type": (415, "The body is of another kind"),
    "invalid-rows": (422, "The rows are not what the schema declares"),
    "too-many-requests": (429, "Too many requests"),
    "head-too-large": (431, "The head of the request is too large"),
    "bug": (500, "A bug of ours"),
    "overloaded": (503, "The server has more work than it can do"),
    "not-ready": (503, "The server cannot answer now"),
}


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
        self.status = _PROBLEM_TYPES[kind][0]
        self.detail = detail
        self.headers = dict(headers or {})
        self.problems = problems
        self.n_problems = n_problems or len(problems)


def problem_document(problem: HttpProblem, *, request_id: str, is_inference: bool = False) -> bytes:
    """Return the body of the answer; clients of the Open Inference Protocol look for the member `error`."""
    status, title = _PROBLEM_TYPES[problem.kind]
    told: dict[str, Any] = {
        "type": f"urn:mlops:problem:{problem.kind}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if is_inference:
        told["error"] = problem.detail
    if problem.problems:
        told["n_problems"] = problem.n_problems
        told["problems"] = list(problem.problems)
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def problem_types() -> dict[str, tuple[HTTPStatus, str]]:
    """Return every word with its status and title; the documentation's table is held to it."""
    return {word: (HTTPStatus(status), title) for word, (status, title) in _PROBLEM_TYPES.items()}
