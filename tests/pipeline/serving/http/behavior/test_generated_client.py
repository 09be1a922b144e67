"""The document has what generators of clients need; tests/clients runs some, and calls a server with their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


def schema_nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from schema_nodes(inner)


def test_every_reference_names_a_schema_and_every_array_declares_its_items(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = list(schema_nodes(document))
    assert {prediction["$ref"] for prediction in found if "$ref" in prediction} <= known
    assert all("items" in prediction for prediction in found if prediction.get("type") == "array")
