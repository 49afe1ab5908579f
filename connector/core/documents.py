"""The API's documents with every field and rule of its reference.

Where the API's documents disagree, `lenient` requires what all of them do and `strict` what the newest reference does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from connector.core.events import Entity, FieldError
from connector.core.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

Contract: TypeAlias = Literal["lenient", "strict"]

_MOST_ERRORS = 50

# A text that is required and all blanks counts as missing; a blank customer may still be told by its e-mail address.
_CustomerId = Annotated[str, Field(min_length=1, max_length=100), Kind.IDENTIFIER]
_RequiredId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S"), Kind.IDENTIFIER]
_AnyId = Annotated[str, Field(min_length=1, pattern=r"\S"), Kind.IDENTIFIER]
_Sku = Annotated[
    str,
    Field(min_length=1, max_length=50, pattern=r"\S", description="Case-sensitive: links items and variants."),
    Kind.IDENTIFIER,
]
_Link = Annotated[str, Kind.IDENTIFIER]
_Text = Annotated[str, Kind.TEXT]
_Text50 = Annotated[str, Field(max_length=50), Kind.TEXT]
_Text200 = Annotated[str, Field(max_length=200), Kind.TEXT]
_Email = Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$", description="An e-mail address."), Kind.TEXT]
_Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$", description="E.164, such as +14155550123."), Kind.TEXT]
_Language = Annotated[
    str,
    Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=10, description="BCP 47, such as en-US."),
    Kind.TEXT,
]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, three upper-case letters."), Kind.TEXT]
_Image = Annotated[str, Field(pattern=r"^https://[^\s/]+\S*$", description="A public HTTPS URL."), Kind.TEXT]
_Moment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$",
        description="ISO 8601 in UTC, such as 2025-08-22T21:00:00Z.",
    ),
    Kind.MOMENT,
]
_Flag = Annotated[bool, Kind.BOOLEAN]
_Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), Kind.INTEGER]
_Number = Annotated[float, Field(allow_inf_nan=False), Kind.NUMBER]
_Texts = Annotated[list[str], Kind.TEXTS]

_ONE_OF: dict[str, JsonValue] = {"anyOf": [{"required": ["CustomerId"]}, {"required": ["Email"]}]}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Customer(_Document):
    """A customer. CustomerId is the upsert key, Email where there is none; at least one of them is required."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF)

    CustomerId: _CustomerId | None = None
    Email: _Email | None = None
    Name: _Text | None = None
    Surname: _Text | None = None
    Phone: _Phone | None = None
    Language: _Language | None = None
    Username: _Text | None = None
    EmailOptin: _Flag | None = None
    SmsOptin: _Flag | None = None
    WhatsappOptin: _Flag | None = None
    AppPushOptin: _Flag | None = None
    GdprOptin: _Flag | None = Field(default=False, description="False: nothing of this customer is processed.")
    IsExcluded: _Flag | None = Field(default=False, description="True: kept out of the decision pipeline.")


class OrderItem(_Document):
    """A line item; (ProductId, Sku) is its key within the order."""

    ProductId: _RequiredId
    Sku: _Sku
    Quantity: _Integer
    Price: _Number = Field(description="Paid for one unit, after discounts.")
    OriginalPrice: _Number | None = None
    Size: _Text50 | None = None
    Color: _Text50 | None = None
    Brand: _Text | None = None
    IsGift: _Flag | None = False


_Items = Annotated[list[OrderItem], Kind.OBJECTS]


class Order(_Document):
    """An order. OrderId is the upsert key; at least one of CustomerId and Email is required."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF)

    OrderId: _RequiredId
    CustomerId: _Link | None = None
    Email: _Email | None = None
    OrderDate: _Moment | None = None
    TotalRevenue: _Number | None = None
    Currency: _Currency
    TotalQuantity: _Integer | None = None
    UniqueQuantity: _Integer | None = None
    IsOrderCancelled: _Flag | None = False
    OrderItems: _Items | None = None


class StrictOrder(Order):
    """An order by the newest reference."""

    CustomerId: _AnyId
    Email: _Email
    OrderDate: _Moment
    TotalRevenue: _Number
    OrderItems: Annotated[_Items, Field(min_length=1)]


class ProductVariant(_Document):
    """A variant; VariantId is its key within the product."""

    VariantId: _AnyId
    Sku: _Sku
    Name: _Text | None = None
    Image: _Text | None = None
    Size: _Text | None = None
    Stock: _Integer | None = None
    OriginalPrice: _Number | None = None
    SalePrice: _Number | None = None
    Currency: _Currency | None = None
    IsAvailable: _Flag | None = None
    Language: _Language | None = None
    BrandName: _Text | None = None


class StrictProductVariant(ProductVariant):
    """A variant by the newest reference."""

    Name: Annotated[_Text, Field(min_length=1)]
    Image: _Image | None = None
    OriginalPrice: _Number
    Currency: _Currency
    IsAvailable: _Flag


class Product(_Document):
    """A product. ProductId is the upsert key."""

    ProductId: _RequiredId
    ProductName: _Text200 | None = None
    Taxonomy: _Texts | None = Field(None, description="The category path, broadest first.")
    IsOfflineExclusive: _Flag | None = False
    ProductVariants: Annotated[list[ProductVariant], Kind.OBJECTS] | None = None


class StrictProduct(_Document):
    """A product by the newest reference."""

    ProductId: _RequiredId
    ProductName: Annotated[_Text200, Field(min_length=1)]
    Taxonomy: _Texts | None = None
    IsOfflineExclusive: _Flag | None = False
    ProductVariants: Annotated[list[StrictProductVariant], Field(min_length=1), Kind.OBJECTS]


MODELS: Mapping[Contract, Mapping[Entity, type[BaseModel]]] = {
    "lenient": {Entity.CUSTOMERS: Customer, Entity.ORDERS: Order, Entity.PRODUCTS: Product},
    "strict": {Entity.CUSTOMERS: Customer, Entity.ORDERS: StrictOrder, Entity.PRODUCTS: StrictProduct},
}
_VALIDATORS = {
    contract: {entity: model.__pydantic_validator__ for entity, model in models.items()}
    for contract, models in MODELS.items()
}


@dataclass(frozen=True, slots=True)
class DocumentField:
    """A field: what it holds, the default that the API documents for a flag, and the fields of a list's elements."""

    name: str
    kind: Kind
    default: bool | None = None
    elements: tuple[DocumentField, ...] = ()


def _fields(model: type[BaseModel]) -> tuple[DocumentField, ...]:
    """A model's fields in their order; the kind is read from the annotations."""
    fields = []
    for name, info in model.model_fields.items():
        parts = [*info.metadata, *_parts(info.annotation)]
        kind = next(part for part in parts if isinstance(part, Kind))
        default = info.default if kind is Kind.BOOLEAN and not info.is_required() else None
        elements = _fields(element(info)) if kind is Kind.OBJECTS else ()
        fields.append(DocumentField(name, kind, default, elements))
    return tuple(fields)


def element(info: FieldInfo) -> type[BaseModel]:
    """The model of a list's elements."""
    return next(part for part in _parts(info.annotation) if isinstance(part, type) and issubclass(part, BaseModel))


def _parts(annotation: object) -> Iterator[object]:
    """All that an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


FIELDS: Mapping[Entity, tuple[DocumentField, ...]] = {
    entity: _fields(model) for entity, model in MODELS["lenient"].items()
}
"""Entity → its document's fields; the first identifies the document."""

_FORMS = {
    "Email": "a valid e-mail address",
    "Phone": "a number in E.164, such as +14155550123",
    "Language": "a BCP 47 tag, such as en-US",
    "Currency": "an ISO 4217 code of three upper-case letters",
    "OrderDate": "a time of ISO 8601 in UTC with a Z",
    "Image": "a public HTTPS URL",
}
_TYPES = {"string": "a text", "int": "an integer", "float": "a number", "bool": "a boolean", "list": "a list"}
_NEEDS_ONE = FieldError("", "has neither CustomerId nor Email; expected at least one: fill it in the source table")


def problems(entity: Entity, document: Mapping[str, Any], contract: Contract) -> tuple[FieldError, ...]:
    """Every field that breaks a rule, none if the document is right. No text quotes a value."""
    found: tuple[FieldError, ...] = ()
    try:
        _VALIDATORS[contract][entity].validate_python(document)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        found = tuple(_sentence(detail, document) for detail in details[:_MOST_ERRORS])
    if entity is not Entity.PRODUCTS and not _has_text(document, "CustomerId") and not _has_text(document, "Email"):
        return (*found, _NEEDS_ONE)
    return found


def _has_text(document: Mapping[str, Any], field: str) -> bool:
    text = document.get(field)
    return text is not None and not (isinstance(text, str) and (not text or text.isspace()))


def strictly_wrong(entity: Entity, document: bytes) -> bool:
    """Whether the strict reading would refuse an encoded document that the lenient one accepts."""
    return bool(problems(entity, json.loads(document), "strict"))


def required(entity: Entity, contract: Contract, of: str = "") -> frozenset[str]:
    """The fields without which a document is refused; `of`: an element of this list of its."""
    model = MODELS[contract][entity]
    model = element(model.model_fields[of]) if of else model
    return frozenset(name for name, field in model.model_fields.items() if field.is_required())


def _sentence(detail: ErrorDetails, document: Mapping[str, Any]) -> FieldError:
    location = detail["loc"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    problem = broken_rule(detail, _at(document, location), path.rpartition(".")[2])
    return FieldError(path, f"{problem}: correct it in the source table or in the mapping")


def broken_rule(detail: ErrorDetails, value: Any, field: str) -> str:  # noqa: ANN401 (JSON is any)
    """The rule of a field that a value breaks, without the value."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing" or value is None:
        problem = "is missing; the API requires it"
    elif kind == "string_too_long":
        problem = f"has {len(value)} characters; expected at most {context['max_length']}"
    elif kind in ("string_too_short", "too_short") or (isinstance(value, str) and not value.strip()):
        problem = "is empty; expected a value"
    elif kind == "string_pattern_mismatch":
        problem = f"is not of the form that the API asks for; expected {_FORMS.get(field, 'a value that is not blank')}"
    elif kind in ("greater_than_equal", "less_than_equal"):
        problem = "is out of range; expected an integer of 32 bits"
    elif kind == "finite_number":
        problem = "is no finite number; expected one"
    elif kind == "extra_forbidden":
        problem = "is no field of the API"
    else:
        problem = (
            f"is of another type than the API asks for; expected {_TYPES.get(kind.partition('_')[0], 'an object')}"
        )
    return problem


def _at(document: Any, location: tuple[int | str, ...]) -> Any:  # noqa: ANN401 (JSON is any)
    try:
        for part in location:
            document = document[part]
    except (KeyError, IndexError, TypeError):
        return None
    return document
