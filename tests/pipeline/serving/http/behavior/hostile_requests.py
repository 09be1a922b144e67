"""Malformed and malicious bodies and raw requests; the server must refuse each of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hostile_bodies", "hostile_raw_requests"]

# Values that are valid for no feature, each as JSON text.
_BAD_VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1" * 5000,
    "[]",
    "{}",
    "[4]",
    '{"a": 1}',
    "true",
    "4.5",
    "-1",
    "99999999999999999999",
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u0000"',
    '"\u0000"',
    '""',
    '"4"',
    '" No"',
    '"<script>"',
    "undefined",
    "0x10",
    "01",
    "+1",
    ".5",
    "1.",
    "'No'",
    '"\\x41"',
    "[" * 500 + "]" * 500,
]
_BAD_BODIES: list[tuple[str, bytes]] = [
    ("empty", b""),
    ("blank", b" \r\n\t "),
    ("NUL", b"\x00"),
    ("NULs", b"\x00" * 10_000),
    ("null", b"null"),
    ("true", b"true"),
    ("number", b"42"),
    ("text", b'"features"'),
    ("list", b"[]"),
    ("list of lists", b"[[[[]]]]"),
    ("empty object", b"{}"),
    ("NaN", b"NaN"),
    ("Infinity", b"-Infinity"),
    ("deep lists", b"[" * 100_000 + b"]" * 100_000),
    ("deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ("open lists", b"[" * 100_000),
    ("a million digits", b"1" * 1_000_000),
    ("UTF-16", '{"features": {}}'.encode("utf-16")),
    ("UTF-8 with a mark", b'\xef\xbb\xbf{"features": {}}'),
    ("not UTF-8", b'{"features": {"\xff\xfe": 1}}'),
    ("overlong UTF-8", b'{"features": {"\xc0\xaf": 1}}'),
    ("pickle", b"\x80\x04\x95\x00\x00\x00\x00."),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    ("XML", b'<!DOCTYPE x [<!ENTITY a "a">]><x>&a;</x>'),
    ("YAML", b"features: {}"),
    ("form", b"features=1&instances=2"),
    ("SQL", b"'; DROP TABLE predictions; --"),
    ("proto", b'{"__proto__": {"admin": true}}'),
    ("class", b'{"__class__": "os.system"}'),
    ("many keys", b"{" + b",".join(b'"k%d": 1' % n for n in range(20_000)) + b"}"),
    ("long key", b'{"' + b"k" * 1_000_000 + b'": 1}'),
    ("comment", b'{"features": {} /* nothing */}'),
    ("trailing comma", b'{"features": {},}'),
    ("single quotes", b"{'features': {}}"),
    ("half a surrogate as key", b'{"\\ud800": {}}'),
    ("control sign in text", b'{"features": {"a": "\x01"}}'),
]


def hostile_bodies(valid_body: Any) -> Iterator[tuple[str, bytes]]:
    """Yield a name and an invalid variant of a valid body."""
    yield from _BAD_BODIES
    text = json.dumps(valid_body)
    for at in range(1, len(text)):
        yield f"cut at {at}", text[:at].encode()
    for tail in ("x", "}", ",", "{}", text, "\x00", "//", "null"):
        yield f"followed by {tail[:8]!r}", (text + tail).encode()
    for head in ("x", "{", ",", "\x00", "\ufeff", "[", "1 "):
        yield f"led by {head!r}", (head + text).encode()
    yield from _duplicate_keys(valid_body, text)
    for path, rendered in _placeholder_positions(valid_body):
        for value in _BAD_VALUES:
            yield f"{path}={value[:20]}", rendered.replace('"HOLE"', value).encode()
    for path, rendered in _with_unknown_keys(valid_body):
        yield f"unknown key at {path}", rendered.encode()


def _duplicate_keys(valid_body: Any, text: str) -> Iterator[tuple[str, bytes]]:
    """Yield the body with each of its keys given twice."""
    keys = sorted(set(_key_names(valid_body)))
    for key in keys:
        at = text.index(f'"{key}":')
        yield f"{key} twice", (text[:at] + f'"{key}": null, ' + text[at:]).encode()


def _key_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _key_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _key_names(inner)


def _placeholder_positions(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the body as text with one of its values replaced by a placeholder."""
    for where, swapped in _with_placeholder(value):
        yield f"{path}{where}", json.dumps(swapped)


def _with_placeholder(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            for where, other in _with_placeholder(inner):
                yield f".{key}{where}", {**value, key: other}
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            for where, other in _with_placeholder(inner):
                yield f"[{at}]{where}", [*value[:at], other, *value[at + 1 :]]
    else:
        yield "", "HOLE"


def _with_unknown_keys(value: Any) -> Iterator[tuple[str, str]]:
    for key in ("", "a", "Features", "é", "x" * 300, "__proto__"):
        yield repr(key[:8]), json.dumps({**value, key: 1})


def hostile_raw_requests(host: str) -> list[tuple[str, bytes]]:
    """Return a name and the bytes of an invalid or forged request."""
    start = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n".encode()
    body = b'{"features": {}}'
    return [
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("noise", bytes(range(256)) * 4),
        ("no version", b"GET /\r\n\r\n"),
        ("HTTP/9.9", b"GET /livez HTTP/9.9\r\nHost: a\r\n\r\n"),
        ("lower-case method", b"get /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("unknown method", b"FETCH /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("blank in path", b"GET /li vez HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("NUL in path", b"GET /li\x00vez HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("NUL in header", start + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}"),
        ("folded header", start + b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
        ("blank before colon", start + b"X-A : a\r\nContent-Length: 2\r\n\r\n{}"),
        ("no colon", start + b"nonsense\r\n\r\n"),
        ("negative length", start + b"Content-Length: -1\r\n\r\n" + body),
        ("length is a word", start + b"Content-Length: ten\r\n\r\n" + body),
        ("length beyond 64 bits", start + b"Content-Length: 99999999999999999999\r\n\r\n" + body),
        ("two lengths", start + b"Content-Length: 16\r\nContent-Length: 2\r\n\r\n" + body),
        ("length and chunks", start + b"Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("length of 40 MB", start + b"Content-Length: 40000000\r\n\r\n" + body),
        ("bad chunk", start + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        ("negative chunk", start + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"),
        ("huge chunk", start + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n"),
        ("unknown coding", start + b"Transfer-Encoding: gzip\r\n\r\n" + body),
        ("head of 100 kB", start + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n"),
        ("5,000 headers", start + b"".join(b"X-%d: a\r\n" % n for n in range(5000)) + b"\r\n"),
        ("two hosts", start + b"Host: other\r\nContent-Length: 2\r\n\r\n{}"),
        ("two tokens", start + b"Authorization: Bearer %b\r\n" * 2 % (b"a", b"b") + b"Content-Length: 2\r\n\r\n{}"),
        ("another host", start.replace(host.encode(), b"evil.example") + b"Content-Length: 2\r\n\r\n{}"),
        ("another site", start + b"Origin: https://evil.example\r\nContent-Length: 2\r\n\r\n{}"),
        ("packed body", start + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
        ("path upwards", b"GET /../../etc/passwd HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"),
        ("packed path", b"GET /%2e%2e/%00 HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"),
        ("path of 20 kB", b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"),
        ("tunnel", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"),
        ("proxy", b"GET http://evil.example/ HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"),
    ]  # fmt: skip
