"""Render the page at /docs from the OpenAPI document; the page loads nothing from other servers."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec

__all__ = ["render_docs_page"]

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font:13px/1.45 ui-monospace,monospace;background:#f4f4f2}pre{padding:.8rem;overflow:auto}"
    "summary{cursor:pointer;padding:.35rem 0}summary b{display:inline-block;width:3.5rem}"
    ".role{color:#666;float:right}details{border-top:1px solid #ddd}"
)
_INTRODUCTION = (
    "<p>For programs: <a href=/openapi.json>/openapi.json</a>. An error response is a problem document"
    " (RFC 9457) that names the field, the check and the expected value.</p>"
)


def render_docs_page(document: dict[str, Any]) -> bytes:
    """Return the page, as HTML without a script."""
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        _INTRODUCTION,
    ]
    for path, methods in document["paths"].items():
        parts += [_operation_html(path, method, operation) for method, operation in methods.items()]
    parts.append("<h2>Schemas</h2>")
    parts += [_schema_html(name, schema) for name, schema in document["components"]["schemas"].items()]
    return "".join(parts).encode()


def _operation_html(path: str, method: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {})
    bodies = "".join(f"<li>accepts {_media_type_html(media_type, content)}" for media_type, content in body.items())
    responses = "".join(
        f"<li>{status}: {escape(response['description'])}" for status, response in operation["responses"].items()
    )
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
        f"<span class=role>role: {escape(operation['x-required-role'])}</span></summary>"
        f"<ul>{bodies}{responses}</ul></details>"
    )


def _media_type_html(media_type: str, content: dict[str, Any]) -> str:
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    return f"<code>{escape(media_type)}</code>" + (f": <a href='#{escape(name)}'>{escape(name)}</a>" if name else "")


def _schema_html(name: str, schema: dict[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f"<h3 id='{escape(name)}'>{escape(name)}</h3><pre>{escape(text)}</pre>"
