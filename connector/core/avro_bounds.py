"""What a schema of Avro may unfold a message into: no more values than it has bytes, nested no deeper than rows are.

A decoder does what the schema says, in memory and on the stack: an array of nothing has no end, nor has a record that
lies within itself.
"""

from __future__ import annotations

from typing import Any

_DEEPEST = 50
_DEEPEST_JSON = 200


class Unbounded(Exception):  # noqa: N818 (it names what the schema is)
    """A message may become more values than it has bytes, or nest without end."""


def check_json(definition: object) -> None:
    """Of a schema that is not parsed yet, since parsing it nests as it does. Raises Unbounded."""
    level = [definition]
    for _ in range(_DEEPEST_JSON):
        level = [child for value in level for child in _children(value)]
    if level:
        raise Unbounded


def check(parsed: object) -> None:
    """Of a parsed schema, in which names are full. Raises Unbounded."""
    _height(parsed, {}, 0)


def _children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _height(schema: Any, named: dict[str, int | None], depth: int) -> int:  # noqa: ANN401 (JSON is any)
    """How many levels of values it has. `named`: those of each name, None while it is being defined."""
    if depth > _DEEPEST or _nothing(schema):
        raise Unbounded
    if isinstance(schema, str):
        known = named.get(schema, 1)
        if known is None or depth + known > _DEEPEST:
            raise Unbounded
        return known
    if isinstance(schema, list):  # a byte tells the branch, so it may hold nothing
        return _above([branch for branch in schema if not _nothing(branch)], named, depth)
    name = schema.get("name")
    if name is not None:
        named[name] = None
    height = _above(_parts(schema), named, depth)
    if name is not None:
        named[name] = height
    return height


def _above(parts: list[Any], named: dict[str, int | None], depth: int) -> int:
    return 1 + max((_height(part, named, depth + 1) for part in parts), default=0)


def _parts(schema: dict[str, Any]) -> list[Any]:
    """The schemas of what a value consists of."""
    match schema["type"]:
        case "record" | "error":
            return [field["type"] for field in schema["fields"]]
        case "array":
            return [schema["items"]]
        case "map":
            return [schema["values"]]
        case str():
            return []
        case of:
            return [of]


def _nothing(schema: Any) -> bool:  # noqa: ANN401 (JSON is any)
    """Whether its values take no byte."""
    if not isinstance(schema, dict):
        return bool(schema == "null")
    match schema["type"]:
        case "record" | "error":
            return not schema["fields"]
        case "fixed":
            return not schema["size"]
        case kind:
            return bool(kind == "null")
