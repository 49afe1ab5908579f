"""The OpenAPI description of the ingestion API, and the JSON Schemas of its documents and of a mapping file.

`python -m connector.core.openapi schemas/` writes them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from connector.core.documents import MODELS
from connector.core.events import Entity
from connector.core.mapping_file import MappingFile
from connector.core.requests import Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOST_RECORDS = {Entity.CUSTOMERS: 1000, Entity.ORDERS: 500, Entity.PRODUCTS: 200}
_UPSERTS = {
    Entity.CUSTOMERS: (Endpoint.UPSERT_CUSTOMERS, "Insert or update customers, by CustomerId, or by Email without one"),
    Entity.ORDERS: (Endpoint.UPSERT_ORDERS, "Insert or update orders, by OrderId"),
    Entity.PRODUCTS: (Endpoint.UPSERT_PRODUCTS, "Insert or update products, by ProductId"),
}
_DELETES = {
    Endpoint.DELETE_CUSTOMER: ("Delete a customer, by customerId or by email", (), ("customerId", "email"), False),
    Endpoint.DELETE_ORDER: ("Delete an order", ("orderId",), (), False),
    Endpoint.DELETE_ORDER_ITEM: ("Delete an item of an order", ("orderId",), ("productId", "sku"), True),
    Endpoint.DELETE_PRODUCT: ("Delete a product and its variants", ("productId",), (), False),
    Endpoint.DELETE_PRODUCT_VARIANT: ("Delete a variant of a product", ("productId", "variantId"), (), False),
}
"""Endpoint → summary, parameters of its path, parameters of its query, whether the latter are required."""

_ANSWERS = {
    "200": ("Accepted if `success` is true; some records may have been skipped nevertheless.", "Success"),
    "400": ("Some record is wrong, and none of the request was saved.", "ValidationError"),
    "401": ("The key is missing, malformed or revoked.", "Failure"),
    "403": ("The key has no access to this tenant.", "Failure"),
    "404": ("There is no such tenant, or no such record.", "Failure"),
    "429": ("Over the limit of 100 requests a minute or 5,000 an hour.", "Failure"),
    "500": ("The server failed; the request may be repeated.", "Failure"),
}
_LIMIT_HEADERS = {
    "X-RateLimit-Limit": "Requests that the window allows",
    "X-RateLimit-Remaining": "Requests that it has left",
    "X-RateLimit-Reset": "When it starts anew, in UNIX seconds",
}


def schemas() -> dict[str, Schema]:
    """File name → content, of all that is generated."""
    models = MODELS["lenient"]
    documents = {
        f"{models[entity].__name__.lower()}.schema.json": _document_schema(models[entity]) for entity in models
    }
    return documents | {"mapping.schema.json": mapping_file(), "openapi.json": openapi()}


def openapi() -> Schema:
    """The eight endpoints with their bodies, answers and errors, in OpenAPI 3.1."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in MODELS["lenient"].values()], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Replenit Ingestion API",
            "version": "1.1",
            "description": "As its reference describes it and replenit-connector uses it. Fields that only its newest "
            "edition requires are optional here.",
        },
        "servers": [{"url": "https://api.replen.it"}],
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-replenit-auth-key"}},
            "responses": {status: _answer(status, *described) for status, described in _ANSWERS.items()},
            "schemas": {**_plain(definitions["$defs"]), **_answer_schemas()},
        },
    }


def mapping_file() -> Schema:
    """The format of a mapping file. What may be left out is not null there: nobody would write that."""
    schema: Schema = _unless_null(_document_schema(MappingFile))
    return schema


_NULLS = frozenset({"among", "not", "otherwise"})
"""Where null is a value that somebody would write."""


def _unless_null(schema: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """Without null among the types of properties."""
    if isinstance(schema, list):
        return [_unless_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _unless_null(value) for name, value in schema.items()}
    for name, value in plain.get("properties", {}).items():
        *others, last = value.get("anyOf", [{}])
        if last == {"type": "null"} and name not in _NULLS:
            rest = {key: part for key, part in value.items() if key != "anyOf"}
            plain["properties"][name] = {**rest, **(others[0] if len(others) == 1 else {"anyOf": others})}
    return plain


def _document_schema(model: type[BaseModel]) -> Schema:
    return {"$schema": _DIALECT, **_plain(model.model_json_schema())}


def _plain(schema: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """Without titles, which only repeat names, and defaults of null: to omit a field is not to send null."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _plain(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str)) and not (name == "default" and value is None)
    }


def _paths() -> Schema:
    paths: Schema = {}
    for entity, (endpoint, summary) in _UPSERTS.items():
        paths.setdefault(_path(endpoint, ()), {})["post"] = _upsert(entity, endpoint, summary)
    for endpoint, (summary, in_path, in_query, required) in _DELETES.items():
        parameters = [_parameter(name, "path", required=True) for name in in_path]
        parameters += [_parameter(name, "query", required=required) for name in in_query]
        paths.setdefault(_path(endpoint, in_path), {})["delete"] = _operation(endpoint, summary, parameters)
    return paths


def _path(endpoint: Endpoint, names: tuple[str, ...]) -> str:
    """The path as the connector requests it, with names for what varies."""
    marks = [f"-{number}-" for number in range(4)]
    path = Request(endpoint, tuple(marks)).target("{tenantId}").partition("?")[0]
    for mark, name in zip(marks, names, strict=False):
        path = path.replace(mark, f"{{{name}}}")
    return path


def _upsert(entity: Entity, endpoint: Endpoint, summary: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{MODELS['lenient'][entity].__name__}"}
    body = {"type": "array", "items": reference, "maxItems": _MOST_RECORDS[entity]}
    return {
        **_operation(endpoint, summary, []),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
    }


def _operation(endpoint: Endpoint, summary: str, parameters: list[Schema]) -> Schema:
    tenant = _parameter("tenantId", "path", required=True)
    tenant["schema"]["format"] = "uuid"
    return {
        "operationId": endpoint.value,
        "summary": summary,
        "parameters": [tenant, *parameters],
        "responses": {status: {"$ref": f"#/components/responses/{status}"} for status in _ANSWERS},
    }


def _parameter(name: str, place: str, *, required: bool) -> Schema:
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}


def _answer(status: str, description: str, schema: str) -> Schema:
    named = _LIMIT_HEADERS | ({"Retry-After": "Seconds to wait"} if status == "429" else {})
    headers = {name: {"description": text, "schema": {"type": "integer"}} for name, text in named.items()}
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "headers": headers, "content": content}


def _answer_schemas() -> Mapping[str, Schema]:
    message = {"type": "string"}
    errors = {
        "description": "Path such as `[0].Email`, `[3].OrderItems[1].Sku` or, without an index, `OrderId` → what is "
        "wrong with it.",
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
    data = {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "processedAt": {"type": "string", "format": "date-time"}},
    }
    envelope = {"success": {"type": "boolean"}, "message": message}
    problem = {
        **{name: {"type": "string"} for name in ("type", "title", "traceId")},
        "status": {"type": "integer"},
        "errors": errors,
    }
    return {
        "Success": {"type": "object", "required": ["success"], "properties": {**envelope, "data": data}},
        "Failure": {"type": "object", "properties": {**envelope, "data": {"type": "object"}}},
        "ValidationError": {
            "anyOf": [
                {"type": "object", "properties": {**envelope, "data": {"type": "object"}, "errors": errors}},
                {"description": "Problem details of RFC 7231.", "type": "object", "properties": problem},
            ]
        },
    }


def printed(schema: Schema) -> str:
    """As its file has it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    for file_name, content in schemas().items():
        Path(sys.argv[1], file_name).write_text(printed(content), encoding="utf-8")
