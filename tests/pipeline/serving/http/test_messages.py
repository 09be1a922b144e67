from __future__ import annotations

from typing import Any

import pytest

from pipeline.serving.http.authentication import ANONYMOUS, Principal
from pipeline.serving.http.messages import HttpRequest, check_single_headers, request_id_from
from pipeline.serving.http.problems import HttpProblem
from pipeline.serving.log_options import LogOptions


def make_request(
    headers: dict[bytes, bytes] | None = None, query: bytes = b"", principal: Principal = ANONYMOUS
) -> HttpRequest:
    return HttpRequest("POST", "/predict", query, headers or {}, "r-1", principal, {})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"application/json", "application/json"),
        (b"Application/JSON; charset=utf-8", "application/json"),
        (b" text/csv ;header=present", "text/csv"),
        (None, ""),
    ],
)
def test_the_media_type_has_no_parameters_and_lower_case(header: bytes | None, expected: str) -> None:
    assert make_request({} if header is None else {b"content-type": header}).media_type == expected


@pytest.mark.parametrize(
    ("header", "expected"), [(b"order-1", "order-1"), (b'"order-1"', "order-1"), (b'""', '""'), (b'"', '"')]
)
def test_an_idempotency_key_is_read_with_and_without_quotes(header: bytes, expected: str) -> None:
    assert make_request({b"idempotency-key": header}).idempotency_key == expected


@pytest.mark.parametrize(
    ("query", "roles", "expected"),
    [
        (b"", (), LogOptions(caller="ada", key="k")),
        (b"log=false", ("viewer",), LogOptions("k", "ada", is_logged=False, source="api")),
        (b"log=true&source=app", ("predict", "viewer"), LogOptions("k", "ada", source="app")),
    ],
)
def test_the_query_decides_whether_and_how_a_request_is_logged(
    query: bytes, roles: tuple[str, ...], expected: LogOptions
) -> None:
    request = make_request({b"idempotency-key": b"k"}, query=query, principal=Principal.from_roles("ada", roles))
    assert request.log_options() == expected


@pytest.mark.parametrize("query", [b"log=no", b"log=false&log=true", b"log=", b"source=file", b"source=app"])
def test_a_wrong_log_parameter_is_refused(query: bytes) -> None:
    with pytest.raises(HttpProblem, match=r"log|source"):
        make_request({}, query=query, principal=Principal.from_roles("ada", ("predict",))).log_options()


@pytest.mark.parametrize("value", [b"", b"a b", b"\xe9", b"a" * 129, b"a\x00"])
@pytest.mark.parametrize("attribute", ["idempotency_key", "subject"])
def test_a_header_with_other_characters_is_refused(value: bytes, attribute: str) -> None:
    request = make_request({b"idempotency-key": value, b"x-subject-id": value})
    with pytest.raises(HttpProblem, match="expected 1 to 128 visible ASCII characters"):
        getattr(request, attribute)


@pytest.mark.parametrize(
    ("query", "expected"), [(b"", "refuse"), (b"on_error=partial", "partial"), (b"on_error=refuse", "refuse")]
)
def test_a_query_parameter_has_its_value_or_the_default(query: bytes, expected: str) -> None:
    assert make_request(query=query).query_param("on_error", ("refuse", "partial"), "refuse") == expected


@pytest.mark.parametrize("query", [b"on_error=skip", b"on_error=", b"on_error=partial&on_error=partial"])
def test_another_or_a_repeated_value_is_refused(query: bytes) -> None:
    with pytest.raises(HttpProblem, match="query parameter on_error: expected one of refuse, partial"):
        make_request(query=query).query_param("on_error", ("refuse", "partial"), "refuse")


def test_an_unknown_query_parameter_is_refused_with_a_suggestion() -> None:
    with pytest.raises(HttpProblem, match="expected on_error; did you mean 'on_error'"):
        make_request(query=b"onerror=partial").check_query_params(("on_error",))


@pytest.mark.parametrize("name", [b"host", b"authorization", b"content-type", b"idempotency-key", b"x-subject-id"])
def test_a_repeated_header_that_may_be_given_once_is_refused(name: bytes) -> None:
    with pytest.raises(HttpProblem, match="is given twice"):
        check_single_headers([(name, b"a"), (name, b"b")])


def test_other_headers_may_be_repeated() -> None:
    check_single_headers([(b"accept", b"a"), (b"accept", b"b"), (b"host", b"a")])


def test_a_valid_request_id_of_the_caller_is_used_and_another_is_replaced() -> None:
    sent: list[Any] = [{b"x-request-id": value} for value in (b"abc-1", b"a b", b"x" * 65, b"<script>")]
    ids = [request_id_from(headers) for headers in sent]
    assert ids[0] == "abc-1"
    assert len(set(ids)) == 4
    assert not {"a b", "x" * 65, "<script>"} & set(ids)
