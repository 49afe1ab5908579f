"""The API's documents with every field and rule of its reference.

Where the API's documents disagree, `lenient` requires what all of them do and `strict` what the newest reference does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connector.core.events import Entity, FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Contract: TypeAlias = Literal["lenient", "strict"]

_MOST_ERRORS = 50

Identifier = Annotated[str, Field(min_length=1, max_length=100)]
SkuText = Annotated[str, Field(min_length=1, max_length=50, description="Case-sensitive: links items and variants.")]
Short = Annotated[str, Field(max_length=50)]
EmailAddress = Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$", description="An e-mail address.")]
PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$", description="E.164, such as +14155550123.")]
LanguageTag = Annotated[
    str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$", max_length=10, description="BCP 47, such as en-US.")
]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, three upper-case letters.")]
Instant = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?Z$",
        description="ISO 8601 in UTC, such as 2025-08-22T21:00:00Z.",
    ),
]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Customer(_Document):
    """A customer. CustomerId is the upsert key, Email where there is none."""

    CustomerId: Identifier | None = None
    Email: EmailAddress | None = None
    Name: str | None = None
    Surname: str | None = None
    Phone: PhoneNumber | None = None
    Language: LanguageTag | None = None
    Username: str | None = None
    EmailOptin: bool | None = None
    SmsOptin: bool | None = None
    WhatsappOptin: bool | None = None
    AppPushOptin: bool | None = None
    GdprOptin: bool | None = Field(None, description="False, the default: nothing of this customer is processed.")
    IsExcluded: bool | None = Field(None, description="True: kept out of the decision pipeline. False by default.")

    @model_validator(mode="after")
    def _identified(self) -> Customer:
        if self.CustomerId is None and self.Email is None:
            raise ValueError("needs CustomerId or Email")
        return self


class OrderItem(_Document):
    """A line item; (ProductId, Sku) is its key within the order."""

    ProductId: Identifier
    Sku: SkuText
    Quantity: Int32
    Price: Number = Field(description="Paid for one unit, after discounts.")
    OriginalPrice: Number | None = None
    Size: Short | None = None
    Color: Short | None = None
    Brand: str | None = None
    IsGift: bool | None = Field(None, description="False by default.")


class Order(_Document):
    """An order. OrderId is the upsert key."""

    OrderId: Identifier
    CustomerId: str | None = None
    Email: EmailAddress | None = None
    OrderDate: Instant | None = None
    TotalRevenue: Number | None = None
    Currency: CurrencyCode
    TotalQuantity: Int32 | None = None
    UniqueQuantity: Int32 | None = None
    IsOrderCancelled: bool | None = Field(None, description="False by default.")
    OrderItems: list[OrderItem] | None = None

    @model_validator(mode="after")
    def _linked(self) -> Order:
        if not self.CustomerId and not self.Email:
            raise ValueError("needs CustomerId or Email")
        return self


class StrictOrder(Order):
    """An order by the newest reference."""

    CustomerId: Annotated[str, Field(min_length=1)]
    Email: EmailAddress
    OrderDate: Instant
    TotalRevenue: Number
    OrderItems: Annotated[list[OrderItem], Field(min_length=1)]


class ProductVariant(_Document):
    """A variant; VariantId is its key within the product."""

    VariantId: Annotated[str, Field(min_length=1)]
    Sku: SkuText
    Name: str | None = None
    Image: str | None = None
    Size: str | None = None
    Stock: Int32 | None = None
    OriginalPrice: Number | None = None
    SalePrice: Number | None = None
    Currency: CurrencyCode | None = None
    IsAvailable: bool | None = None
    Language: LanguageTag | None = None
    BrandName: str | None = None


class StrictProductVariant(ProductVariant):
    """A variant by the newest reference."""

    Name: str
    OriginalPrice: Number
    Currency: CurrencyCode
    IsAvailable: bool


class Product(_Document):
    """A product. ProductId is the upsert key."""

    ProductId: Identifier
    ProductName: Annotated[str, Field(max_length=200)] | None = None
    Taxonomy: list[str] | None = Field(None, description="The category path, broadest first.")
    IsOfflineExclusive: bool | None = Field(None, description="False by default.")
    ProductVariants: list[ProductVariant] | None = None


class StrictProduct(Product):
    """A product by the newest reference."""

    ProductName: Annotated[str, Field(min_length=1, max_length=200)]
    ProductVariants: Annotated[list[StrictProductVariant], Field(min_length=1)]  # type: ignore[assignment]


MODELS: Mapping[Contract, Mapping[Entity, type[BaseModel]]] = {
    "lenient": {Entity.CUSTOMERS: Customer, Entity.ORDERS: Order, Entity.PRODUCTS: Product},
    "strict": {Entity.CUSTOMERS: Customer, Entity.ORDERS: StrictOrder, Entity.PRODUCTS: StrictProduct},
}

_EXPECTED = {
    "Email": "a valid e-mail address",
    "Phone": "a number in E.164, such as +14155550123",
    "Language": "a BCP 47 tag of at most 10 characters, such as en-US",
    "Currency": "an ISO 4217 code of three upper-case letters",
    "OrderDate": "ISO 8601 in UTC with a Z",
}


def problems(entity: Entity, document: Mapping[str, Any], contract: Contract) -> tuple[FieldError, ...]:
    """Every field that breaks a rule, none if the document is right. No text quotes a value."""
    try:
        MODELS[contract][entity].__pydantic_validator__.validate_python(document)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=True)
        return tuple(_sentence(each["loc"], each["type"], each.get("ctx", {})) for each in found[:_MOST_ERRORS])
    return ()


def strictly_wrong(entity: Entity, document: bytes) -> bool:
    """Whether the strict reading would refuse an encoded document that the lenient one accepts."""
    return bool(problems(entity, json.loads(document), "strict"))


def required(entity: Entity, contract: Contract) -> frozenset[str]:
    """The fields without which a document is refused."""
    return frozenset(name for name, field in MODELS[contract][entity].model_fields.items() if field.is_required())


def _sentence(location: Iterable[str | int], kind: str, context: Mapping[str, Any]) -> FieldError:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    name = path.rpartition(".")[2]
    expected = _EXPECTED.get(name, "")
    match kind:
        case "missing":
            problem = "is missing, but the API requires it"
        case "string_too_long":
            problem = f"has more than {context['max_length']} characters"
        case "string_too_short" | "too_short":
            problem = "is empty, but the API requires a value"
        case "string_pattern_mismatch":
            problem = f"is not {expected}"
        case "greater_than_equal" | "less_than_equal":
            problem = "is beyond the range of a 32-bit integer"
        case "extra_forbidden":
            problem = "is no field of the API"
        case "value_error":
            problem = str(context.get("error", "breaks a rule of the API"))
        case _:
            problem = f"is of another type than the API expects ({kind})"
    return FieldError(path, f"{problem}: correct it in the source table or in the mapping")
