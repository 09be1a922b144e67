"""A compressed body is decoded as a whole, within the size that it states, or refused."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.serving.http.content_encoding import decode_body, decoded_size, is_encoded, require_known_encoding
from pipeline.serving.http.problems import HttpProblem

BODY = gzip.compress(b'{"features": {}}' * 100)


@settings(deadline=None)
@given(content=st.binary(max_size=5_000), level=st.integers(0, 9))
def test_a_body_is_decoded_as_it_was_sent(content: bytes, level: int) -> None:
    body = gzip.compress(content, level)
    assert (decode_body(body), decoded_size(body)) == (content, len(content))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}" * 20, id="not compressed"),
        pytest.param(BODY[:-1], id="cut"),
        pytest.param(BODY + b"x", id="bytes behind"),
        pytest.param(BODY + BODY, id="two members"),
        pytest.param(BODY[:-4] + (10).to_bytes(4, "little"), id="states less"),
        pytest.param(BODY[:-4] + (10_000).to_bytes(4, "little"), id="states more"),
        pytest.param(BODY[:-8] + bytes(4) + BODY[-4:], id="wrong checksum"),
    ],
)
def test_a_damaged_body_is_refused(body: bytes) -> None:
    with pytest.raises(HttpProblem, match="is not one complete gzip member"):
        decode_body(body)


def test_only_gzip_and_identity_are_accepted() -> None:
    for headers in ({}, {b"content-encoding": b"identity"}, {b"content-encoding": b"gzip"}):
        require_known_encoding(headers)
    assert [is_encoded({b"content-encoding": name}) for name in (b"identity", b"gzip")] == [False, True]
    with pytest.raises(HttpProblem, match="expected gzip or identity"):
        require_known_encoding({b"content-encoding": b"br"})
