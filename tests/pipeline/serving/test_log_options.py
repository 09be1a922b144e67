"""Retries are recognized by keyed digests that two callers, two models or two bodies never share."""

from __future__ import annotations

import hashlib
from itertools import combinations

import numpy as np
import pytest

from pipeline.serving.log_options import LogOptions, digest_body, digest_key, encode_columns
from pipeline.serving.serving_errors import InvalidRequest

HASH_KEY = b"k" * 32
# Each pair is equal when its members are joined by a separator.
TRIPLES = [
    ("m", "oidc:a", "b:c"),
    ("m", "oidc:a:b", "c"),
    ("m:oidc", "a", "b:c"),
    ("m", "", "oidc:a:b:c"),
    ("m", 'oidc:a", "b', "c"),
    ("m", "oidc:a", 'b", "c'),
    ("m", "oidc:a:b:c", ""),
    ("other", "oidc:a", "b:c"),
]


@pytest.mark.parametrize(("first", "second"), list(combinations(TRIPLES, 2)))
def test_keys_of_two_callers_or_models_never_meet(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    digests = {
        digest_key(LogOptions(key=key, caller=caller), model=model, hash_key=HASH_KEY)
        for model, caller, key in (first, second)
    }
    assert len(digests) == 2


def test_a_caller_with_a_long_name_may_use_keys() -> None:
    options = LogOptions(key="k" * 128, caller="oidc:" + "s" * 4_000)
    options.check()
    assert len(digest_key(options, model="m", hash_key=HASH_KEY)) == 64


@pytest.mark.parametrize("body", [b"", b'{"features":{"diagnosis":"flu"}}', b"\x00" * 70_000])
def test_a_digest_cannot_be_recomputed_without_the_key(body: bytes) -> None:
    digest = digest_body("row", body, hash_key=HASH_KEY)
    plain = {name: hashlib.new(name, b"row\x00" + body).hexdigest() for name in ("sha256", "blake2s")}
    assert digest not in plain.values()
    assert digest != digest_body("row", body, hash_key=b"j" * 32)
    assert digest == digest_body("row", body, hash_key=HASH_KEY)


def test_two_kinds_of_requests_with_one_body_differ() -> None:
    assert digest_body("row", b"x", hash_key=HASH_KEY) != digest_body("batch", b"x", hash_key=HASH_KEY)


@pytest.mark.parametrize("word", ["", "a\nb", "\xe9", "x" * 201])
def test_a_key_or_subject_that_is_no_word_is_refused(word: str) -> None:
    for options in (LogOptions(key=word), LogOptions(subject=word)):
        with pytest.raises(InvalidRequest, match="expected 1 to 200 printable ASCII characters"):
            options.check()


def test_columns_are_encoded_as_they_were_sent() -> None:
    sent = {"a": [1, None, float("nan")], "b": np.array([1.5, 2.5, 3.5])}
    assert encode_columns(sent) == b'{"a":[1,null,null],"b":[1.5,2.5,3.5]}'
    assert encode_columns({"a": ["1"]}) != encode_columns({"a": [1]})
