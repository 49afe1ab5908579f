"""What a record must be, by a reading of the API's documents that shares nothing with the connector's own.

The connector is judged by this module, so it imports none of the connector's rules: a mistake that both made together
would be seen by nobody.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from connector.sandbox.shapes import SHAPES, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connector.sandbox.shapes import Field, Shape

Document = dict[str, Any]
KEYS = {"customers": ("CustomerId", "Email"), "orders": ("OrderId",), "products": ("ProductId",)}
MOST_RECORDS = {"customers": 1000, "orders": 500, "products": 200}
ONE_OF = "At least one of the following properties must have a value: CustomerId, Email"


class Contract(StrEnum):
    """`lenient` requires what every document requires, `strict` what the newest API reference requires."""

    LENIENT = "lenient"
    STRICT = "strict"


class Violation(NamedTuple):
    """What is wrong at `path` of the batch's record number `record`; None: with the request as a whole.

    `conversion`: a JSON type is wrong, which the server notices before any other rule, and only the first time.
    `promise`: what the connector promised never to send, "" where the violation is the data's.
    """

    record: int | None
    path: str
    message: str
    conversion: bool = False
    promise: str = ""


def identify(entity: str, record: object, customers_by: str = "CustomerId") -> str | None:
    """The record's upsert key, None where it has none that could be read. `customers_by`: the tenant's setting."""
    if not isinstance(record, dict):
        return None
    names = KEYS[entity] if KEYS[entity][0] != "CustomerId" or customers_by == "CustomerId" else KEYS[entity][::-1]
    values = (record.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)


def read(entity: str, body: bytes, contract: Contract) -> tuple[list[Any], list[Violation]]:
    """The records of a POST, as far as they can be told apart, and all that is wrong with them.

    Where a JSON type is wrong the violations are that one alone, as the server stops reading there.
    """
    try:
        records = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        message = "The request body is not valid JSON." if body else "A non-empty request body is required."
        return [], [Violation(None, "$" if body else "", message, conversion=True, promise="a body that is no JSON")]
    if not isinstance(records, list):
        message = "The JSON value could not be converted to an array. Path: $."
        return [], [Violation(None, "$", message, conversion=True, promise="a body that is not an array")]
    most = MOST_RECORDS[entity]
    if len(records) > most:
        message = f"At most {most} records per request."
        return records, [Violation(None, "", message, promise=f"more than {most} {entity} in a request")]
    found = [
        violation._replace(record=number)
        for number, record in enumerate(records)
        for violation in _violations(record, SHAPES[entity], contract)
    ]
    unreadable = next((violation for violation in found if violation.conversion), None)
    return records, [unreadable] if unreadable else found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _violations(record: object, shape: Shape, contract: Contract) -> Iterator[Violation]:
    if not isinstance(record, dict):
        yield _unconverted("", "an object")
        return
    for name in shape.strict if contract is Contract.STRICT else shape.lenient:
        if _blank(record.get(name)):
            yield Violation(None, name, f"The {name} field is required.")
    if shape.identified and _blank(record.get("CustomerId")) and _blank(record.get("Email")):
        yield Violation(None, "CustomerId", ONE_OF)
    for name, value in record.items():
        if shape.element and name == shape.list_name:
            yield from _elements(name, value, shape.element, contract)
        elif name not in shape.fields:
            yield Violation(None, name, f"The field {name} is unknown.", promise=f"an unknown field {name}")
        elif value is not None:
            yield from _value(name, value, shape.fields[name], contract)


def _unconverted(path: str, wanted: str) -> Violation:
    return Violation(None, path, f"The JSON value could not be converted to {wanted}.", conversion=True)


def _value(name: str, value: Any, field: Field, contract: Contract) -> Iterable[Violation]:  # noqa: ANN401 # JSON
    if not field.converts(value):
        return (_unconverted(name, field.type),)
    return _text_violations(name, value, field, contract) if field.longest is not None or field.form else ()


def _text_violations(name: str, value: str, field: Field, contract: Contract) -> Iterator[Violation]:
    if field.longest is not None and units(value) > field.longest:
        yield Violation(None, name, f"Maximum length is {field.longest} characters.")
    form = field.form
    if form and not (form.strict and contract is Contract.LENIENT) and not form.holds(value):
        yield Violation(None, name, form.sentence.format(name))


def _elements(name: str, value: object, shape: Shape, contract: Contract) -> Iterator[Violation]:
    if value is None:
        return
    if not isinstance(value, list):
        yield _unconverted(name, "an array")
        return
    if not value and contract is Contract.STRICT:
        yield Violation(None, name, "Minimum one item required.")
    for index, element in enumerate(value):
        for violation in _violations(element, shape, contract):
            below = f".{violation.path}" if violation.path else ""
            yield violation._replace(path=f"{name}[{index}]{below}")
