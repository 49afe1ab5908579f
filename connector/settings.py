"""The settings: every environment variable that the service reads, defined once with its check, meaning and example.

`load` reads them; `python -m connector.settings README.md .env.example` writes what documents them.
"""

from __future__ import annotations

import difflib
import functools
import ipaddress
import os
import re
import sys
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from connector import mapping_setting
from connector.core.events import Entity
from connector.core.family_tables import Member, is_family, members
from connector.core.mapping import Options
from connector.core.mapping_text import Spec
from connector.errors import ConfigurationError
from connector.mapping_setting import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationInfo

_BY_EMAIL = (Entity.CUSTOMERS, "Email")

# --- The API key


class ApiKey:
    """The API's key, from the environment or from a file that is read again whenever it has changed.

    For one thread at a time. No representation shows the key. `fingerprint` tells one key from another; it is salted,
    so it says nothing about the key and is of no meaning to another process.
    """

    def __init__(self, value: str, path: Path | None = None) -> None:
        self._value = _carried(value)
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._salt = os.urandom(16)

    def value(self) -> str | None:
        """The key, or None while its file is gone, empty or holds what no header can carry."""
        if self._path is not None:
            self._refresh(self._path)
        return self._value

    def fingerprint(self) -> str | None:
        value = self.value()
        return None if value is None else blake2b(value.encode(), key=self._salt, digest_size=4).hexdigest()

    def __repr__(self) -> str:
        return "ApiKey(hidden)"

    def _refresh(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                seen = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
                if seen != self._seen:
                    octets = file.read(_LONGEST_KEY + 2)
                    self._value = _carried(_without_newline(octets.decode("utf-8", "replace")))
                    self._seen = seen
        except OSError:
            self._value = self._seen = None


_LONGEST_KEY = 4096  # what is longer is another file, and no server takes such a header


def _carried(key: str) -> str | None:
    carried = 0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable() and " " not in key
    return key if carried else None


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


# --- Checks. What they raise says what is wrong with a value and never quotes it.


def _api_key(key: ApiKey) -> ApiKey:
    if key.value() is None:
        raise ValueError("is longer than any key, or holds white space or characters beyond printable ASCII")
    return key


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in {".", ".."}:
        raise ValueError("holds what can't be a topic's name")
    return name


def _topics(text: str) -> tuple[str, ...]:
    return tuple(_topic(name) for name in _parts(text))


def _brokers(text: str) -> str:
    broker = re.compile(r"(\w+://)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?")
    brokers = _parts(text)
    if not brokers or not all(broker.fullmatch(each) for each in brokers):
        raise ValueError("has the wrong form")
    return ",".join(brokers)


def _bytes(value: object) -> int:
    match = re.fullmatch(r"(\d{1,15}) ?(?:([kKMG])(i?))?[bB]?", str(value).strip(), re.ASCII)
    if match is None:
        raise ValueError("is not a number of bytes")
    number, unit, binary = match.groups()
    for _ in range(" KMG".index(unit.upper()) if unit else 0):
        number = int(number) * (1024 if binary else 1000)
    return int(number)


def _plain_url(text: str) -> SplitResult:
    """An address of http or https, with neither user, query nor fragment, that the client reads as it is read here."""
    try:
        url, asked = urlsplit(text), httpx.URL(text)
        plain = url.hostname and url.port != 0 and not ("@" in url.netloc or url.query or url.fragment)
        plain = plain and url.hostname in {asked.host, asked.raw_host.decode()}
        asked.raw_host.decode().encode("idna")  # as the look-up of the name does
    except (ValueError, httpx.InvalidURL):  # its own message quotes the address
        raise ValueError("is not an address") from None
    if not plain or url.scheme not in {"http", "https"}:
        raise ValueError("is not a plain address")
    return url


def _base_url(text: str) -> str:
    url = _plain_url(text)
    if url.scheme == "http" and not _loopback(url.hostname or ""):
        raise ValueError("would send the API key unencrypted over a network")
    return text.rstrip("/")


def _registry_url(text: str) -> str:
    if text:
        _plain_url(text)
    return text.rstrip("/")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is not an IP address") from None


def _mapping(text: str, info: ValidationInfo) -> dict[Entity, Spec]:
    """The mapping of each entity. It depends on what is set before it: the contract, the policy, and the topics."""
    topics = {entity: info.data.get(name, ()) for entity, name in SOURCES.items()}
    consent_policy = info.data.get("consent_policy", "")
    return mapping_setting.read(text, topics, info.data.get("contract", "lenient"), consent_policy)


# --- The variables. These functions return Any as pydantic's own Field does: a default may stand for any type.


def _setting(meaning: str, accepted: str, default: str | None = None, *, example: str = "", **checks: Any) -> Any:  # noqa: ANN401
    """Define a variable. `default` is a text as the environment would give it; without one the variable is required."""
    shown = {"accepted": accepted, "default": default, "example": example or default}
    given: Any = ... if default is None else default
    return Field(given, description=meaning, json_schema_extra=shown, **checks)  # type: ignore[arg-type]


def _whole(meaning: str, default: str, least: int, most: int) -> Any:  # noqa: ANN401
    return _setting(meaning, f"a whole number from {least} to {most}", default, ge=least, le=most)


def _seconds(meaning: str, default: str, least: int, most: int) -> Any:  # noqa: ANN401
    return _setting(meaning, f"seconds from {least} to {most}", default, ge=least, le=most, allow_inf_nan=False)


def _choice(meaning: str, default: str, *others: str) -> Any:  # noqa: ANN401
    return _setting(meaning, " or ".join([default, *others]), default)


def _source(meaning: str, example: str) -> Any:  # noqa: ANN401
    return _setting(meaning, "topic names, separated by commas", "", example=example)


_Topics = Annotated[tuple[str, ...], BeforeValidator(_topics)]
_ANY_CASE = BeforeValidator(_lower)


class Settings(BaseModel):
    """A valid configuration. A field is named as its variable, in lower case; durations are seconds."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    replenit_tenant_id: str = _setting(
        "The tenant that the data belongs to.",
        "a GUID",
        example="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    )
    replenit_api_key: Annotated[ApiKey, AfterValidator(_api_key)] = _setting(
        "The key of the ingestion API. Its file is read again when it changes.",
        "the key as Replenit shows it",
        example="c2VjcmV0",
    )
    replenit_base_url: Annotated[str, AfterValidator(_base_url)] = _setting(
        "Where the ingestion API is. Plain `http://` is for this machine only.",
        "an https:// address without user, query and fragment",
        "https://api.replen.it",
    )
    replenit_ca_path: str = _setting(
        "Certificates to trust for the API instead of the system's.",
        "the path of a file in PEM",
        "",
        example="/etc/ssl/replenit.pem",
    )
    kafka_bootstrap_servers: Annotated[str, AfterValidator(_brokers)] = _setting(
        "Kafka's brokers.", "host:port, separated by commas", example="kafka-1:9092,kafka-2:9092"
    )
    kafka_group_id: str = _setting(
        "The consumer group, which keeps the place in the topics.",
        "a name of at most 249 characters without white space",
        "replenit-connector",
        pattern=r"^\S{1,249}$",
    )
    schema_registry_url: Annotated[str, AfterValidator(_registry_url)] = _setting(
        "Where the schemas of Avro messages are: Confluent's API, or Apicurio's.",
        "an http:// or https:// address without user, query and fragment",
        "",
        example="https://registry.example.com/apis/ccompat/v7",
    )
    schema_registry_username: str = _setting("The user's name at the registry.", "a name", "", example="connector")
    schema_registry_password: str = _setting(
        "That user's password.", "a text; better in a file", "", example="cGFzc3dvcmQ=", repr=False
    )
    schema_registry_ca_path: str = _setting(
        "Certificates to trust for the registry instead of the system's.",
        "the path of a file in PEM",
        "",
        example="/etc/ssl/registry.pem",
    )
    topic_customers: _Topics = _source(
        "Topics of the customers' table; several are shards with disjoint keys. Unset: no customers.",
        "shop.public.customers",
    )
    topic_orders: _Topics = _source("Topics of the orders' table, likewise.", "shop.public.orders")
    topic_products: _Topics = _source(
        "Topics of the products' table, likewise. One of the three is required.", "shop.public.products"
    )
    dead_letter_topic: str = _setting(
        "Where records go that can't be sent; it must exist. Unset: the group's name, then `.dead-letters`.",
        "the name of a topic that is none of the sources",
        "",
        example="replenit-connector.dead-letters",
    )
    rate_limit_per_minute: int = _whole(
        "Requests a minute that the API allows; replicas share them.", "100", 4, 1_000_000
    )
    rate_limit_per_hour: int = _whole(
        "Requests an hour, likewise. Groups that share a key divide both among them.", "5000", 60, 1_000_000
    )
    batch_max_customers: int = _whole("Customers in one request.", "500", 1, 1000)
    batch_max_orders: int = _whole("Orders in one request.", "200", 1, 500)
    batch_max_products: int = _whole("Products in one request.", "100", 1, 200)
    batch_max_bytes: Annotated[int, BeforeValidator(_bytes)] = _setting(
        "Size of one request; a larger record goes alone. Eight requests can be under way.",
        "bytes, or kB, MB, GB, KiB, MiB, GiB; from 10kB to 100MB",
        "8MB",
        ge=10**4,
        le=10**8,
    )
    linger_max: float = _seconds(
        "How long an upsert waits for others to fill its batch, when the budget is spent.", "10", 8, 3600
    )
    delete_linger: float = _seconds("How long a delete waits when the budget is spent.", "5", 1, 3600)
    http_timeout: float = _seconds("How long one request may take.", "30", 1, 60)
    shutdown_timeout: float = _seconds("How long a stop may take; the platform must grant more.", "50", 1, 3600)
    pending_max_keys: int = _whole(
        "Records of an entity that may wait. At the limit its topics pause, at half of it they go on.",
        "250000",
        100,
        100_000_000,
    )
    pending_max_bytes: Annotated[int, BeforeValidator(_bytes)] = _setting(
        "Memory that they may take, likewise.", "bytes, or kB, MB, GB, KiB, MiB, GiB; at least 1MB", "256MB", ge=10**6
    )
    suppress_unchanged: bool = _choice("Don't send an update that changes nothing of what is sent.", "true", "false")
    contract: Annotated[Literal["lenient", "strict"], _ANY_CASE] = _choice(
        "What is required of a record: what all of the API's documents ask for, or what the newest does.",
        "lenient",
        "strict",
    )
    empty_orders: Annotated[Literal["withhold", "send"], _ANY_CASE] = _choice(
        "What becomes of an order without items.", "withhold", "send"
    )
    empty_products: Annotated[Literal["withhold", "send"], _ANY_CASE] = _choice(
        "What becomes of a product without variants.", "withhold", "send"
    )
    nulls: Annotated[Literal["omit", "null"], _ANY_CASE] = _choice(
        "How a column without a value is sent: not at all, or as null.", "omit", "null"
    )
    removals: Annotated[Literal["each", "none"], _ANY_CASE] = _choice(
        "Whether items and variants that vanish from a row are deleted at Replenit.", "each", "none"
    )
    truncates: Annotated[Literal["ignore", "halt"], _ANY_CASE] = _choice(
        "What happens when a table is truncated, which tells no row.", "ignore", "halt"
    )
    customer_identifier: Literal["CustomerId", "Email"] = _choice(
        "What identifies a customer at Replenit; it must be the tenant's own setting. Email keeps rows in STATE_DIR.",
        "CustomerId",
        "Email",
    )
    customer_delete_settle: float = _seconds(
        "How long Replenit may take to work a customer's delete off; who comes back meanwhile is sent twice. 0: once.",
        "900",
        0,
        86_400,
    )
    consent_policy: Annotated[Literal["enforce", "forward", "assume"], _ANY_CASE] = _choice(
        "Who is sent: customers who have given consent (GdprOptin); all, as the row has it; or, where no column tells, "
        "all with consent, for which you answer.",
        "enforce",
        "forward",
        "assume",
    )
    mapping: Annotated[dict[Entity, Spec], BeforeValidator(_mapping)] = _setting(
        "From which tables and columns documents are made. Unset: from columns that are named as the API's fields, in "
        "snake_case.",
        "the path of a mapping file; or MAPPING, its text",
        "",
        example="connector/default_mapping.yaml",
        repr=False,
    )
    state_dir: str = _setting(
        "Where rows are kept of tables that make documents together, as a mapping may say: a volume that outlives the "
        "process. Else nothing is written.",
        "the path of a folder",
        "/var/lib/replenit-connector",
    )
    log_level: Annotated[Literal["info", "debug", "warning", "error"], _ANY_CASE] = _choice(
        "The least level that is logged.", "info", "debug", "warning", "error"
    )
    log_format: Annotated[Literal["auto", "json", "text"], _ANY_CASE] = _choice(
        "How log lines look; auto is text on a terminal and JSON elsewhere.", "auto", "json", "text"
    )
    http_host: Annotated[str, AfterValidator(_address)] = _setting(
        "Where `/metrics`, `/livez`, `/readyz` and `/status` are served.",
        "an IP address",
        "0.0.0.0",  # noqa: S104 (Prometheus and the platform's probes come from outside)
    )
    http_port: int = _setting("Their port; 0 takes any free one.", "a port from 0 to 65535", "8080", ge=0, le=65535)
    kafka_properties: dict[str, str] = Field(default_factory=dict, repr=False)  # passwords may be among them

    @property
    def kafka(self) -> dict[str, str]:
        """The properties of librdkafka that the user set, and the brokers; the group's id is not among them."""
        return {**self.kafka_properties, "bootstrap.servers": self.kafka_bootstrap_servers}

    @functools.cached_property
    def families(self) -> dict[Entity, list[Member]]:
        """The tables of each entity whose documents are made of several, or of what is kept of one."""
        every = {entity: getattr(self, name) for entity, name in SOURCES.items()}
        return {
            entity: members(entity, self.mapping[entity], topics)
            for entity, topics in every.items()
            if topics and (is_family(self.mapping[entity].table) or (entity, self.customer_identifier) == _BY_EMAIL)
        }

    @functools.cached_property
    def topics(self) -> dict[Entity, tuple[str, ...]]:
        """The source topics of each entity that is switched on, those of its child and side tables included."""
        every = {entity: getattr(self, name) for entity, name in SOURCES.items()}
        kept = {entity: [topic for table in each for topic in table.topics] for entity, each in self.families.items()}
        return {entity: tuple(kept.get(entity, topics)) for entity, topics in every.items() if topics}

    @functools.cached_property
    def primary_keys(self) -> dict[str, tuple[str, ...] | None]:
        """The columns of the primary key of each source topic's table, where the mapping names them."""
        kept = {topic: table.primary_key for each in self.families.values() for table in each for topic in table.topics}
        own = {
            topic: self.mapping[entity].table.primary_key for entity, topics in self.topics.items() for topic in topics
        }
        return own | kept

    @property
    def replay_topic(self) -> str:
        """Where `dead-letters replay` and `reconcile` write what the service is to send once more."""
        return f"{self.dead_letter_topic}.replay"

    def options(self, entity: Entity) -> Options:
        """How the mapping of an entity judges."""
        empty = {Entity.ORDERS: self.empty_orders, Entity.PRODUCTS: self.empty_products}
        return Options(self.contract, self.nulls, empty.get(entity, "send"), self.consent_policy)

    @property
    def batch_max(self) -> dict[Entity, int]:
        return {
            Entity.CUSTOMERS: self.batch_max_customers,
            Entity.ORDERS: self.batch_max_orders,
            Entity.PRODUCTS: self.batch_max_products,
        }

    # A field is checked against earlier ones. A check of the whole would run only once every field is right, and its
    # findings would not be listed with theirs.

    @field_validator("topic_customers", "topic_orders", "topic_products")
    @classmethod
    def _named_once(cls, topics: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        named = [*topics, *(topic for name in SOURCES.values() for topic in info.data.get(name, ()))]
        if len(set(named)) < len(named):
            raise ValueError("names a topic that is named already")
        return topics

    @field_validator("topic_products")
    @classmethod
    def _some_source(cls, topics: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not topics and info.data.get("topic_customers") == info.data.get("topic_orders") == ():
            raise ValueError("is not set, and neither is TOPIC_CUSTOMERS or TOPIC_ORDERS")
        return topics

    @field_validator("dead_letter_topic")
    @classmethod
    def _no_source(cls, topic: str, info: ValidationInfo) -> str:
        name = _topic(topic or f"{info.data.get('kafka_group_id', 'unnamed')}.dead-letters")
        if any({name, f"{name}.replay"} & set(info.data.get(source, ())) for source in SOURCES.values()):
            raise ValueError("is a source topic too, or with `.replay` behind it")
        return name

    @field_validator("rate_limit_per_hour")
    @classmethod
    def _hour_above_minute(cls, limit: int, info: ValidationInfo) -> int:
        if limit < info.data.get("rate_limit_per_minute", 0):
            raise ValueError("is below RATE_LIMIT_PER_MINUTE")
        return limit


_FIELDS = {field.upper(): field for field in Settings.model_fields if field != "kafka_properties"}


# --- Reading the environment


def load(environ: Mapping[str, str]) -> Settings:
    """The settings of an environment; a variable that is empty counts as unset.

    Raises `ConfigurationError` with every mistake, each as `NAME: what is wrong; what is expected; e.g. an example`.
    """
    texts, paths, problems = _gather(environ)
    values: dict[str, Any] = {_FIELDS[name]: text.strip() for name, text in texts.items() if name in _FIELDS}
    if "REPLENIT_API_KEY" in texts:
        values["replenit_api_key"] = ApiKey(texts["REPLENIT_API_KEY"], paths.get("REPLENIT_API_KEY"))
    values["kafka_properties"] = {_property(name): text for name, text in texts.items() if name not in _FIELDS}
    problems |= dict(_locked(texts)) | dict(_misspelt(environ))
    mistakes: list[str] = []
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems |= {name: text for name, text in _invalid(error) if f"{name}_FILE" not in problems}
        mistakes = [f"{'MAPPING_FILE' if 'MAPPING' in paths else 'MAPPING'}: {each}" for each in _mistakes(error)]
    if problems or mistakes:
        raise ConfigurationError([*(f"{name}: {problems[name]}" for name in sorted(problems)), *mistakes])
    return settings


def _gather(environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Path], dict[str, str]]:
    """Return texts, and the files that some of them came from, and problems, each by the name of a variable."""
    texts: dict[str, str] = {}
    paths: dict[str, Path] = {}
    problems: dict[str, str] = {}
    for variable, value in environ.items():
        name = _meant(variable)
        if name is None or not value.strip():
            continue
        if name == variable:
            texts[name] = value
        elif environ.get(name, "").strip():
            problems[variable] = f"is set beside {name}; one of the two; e.g. {name} alone"
        else:
            try:
                texts[name], paths[name] = _contents(Path(value)), Path(value)
            except ValueError as error:
                example = f"/run/secrets/{name.lower().replace('_', '-')}"
                problems[variable] = f"{error}; the path of a file that holds the value; e.g. {example}"
    return texts, paths, problems


def _meant(variable: str) -> str | None:
    """Return the name of what a variable sets, itself or through a file; None if it is none of ours."""
    name = variable.removesuffix("_FILE")
    if variable in _FIELDS or name in _FIELDS:
        return name
    if not re.fullmatch(r"KAFKA_[A-Z0-9_]+", variable) or _SERVICE_LINK.fullmatch(variable):
        return None
    return variable if _property(variable) in _ENDING_IN_FILE else name


_LARGEST_FILE = 1_000_000


def _contents(path: Path) -> str:
    """Return the text of a file. Errors don't name it: a secret may have been set where its path belongs."""
    try:
        with path.open("rb") as file:
            octets = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"names a file that can't be read ({error.strerror})") from None
    if len(octets) > _LARGEST_FILE:
        raise ValueError(f"names a file of more than {_LARGEST_FILE} bytes")
    try:
        text = _without_newline(octets.decode())
    except ValueError:
        raise ValueError("names a file that is not text in UTF-8") from None
    if not text.strip():
        raise ValueError("names an empty file")
    return text


_WRONG = {
    "missing": "is not set",
    "string_pattern_mismatch": "has the wrong form",
    "int_parsing": "is not a whole number",
    "float_parsing": "is not a number",
    "finite_number": "is not a finite number",
    "bool_parsing": "is neither true nor false",
    "literal_error": "is not one of the choices",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
}


def _invalid(error: ValidationError) -> Iterator[tuple[str, str]]:
    """What pydantic found, by variable and in our words: its own may quote a value."""
    for detail in error.errors(include_input=False, include_url=False):
        if isinstance(detail.get("ctx", {}).get("error"), mapping_setting.MistakesError):
            continue
        row = _row(str(detail["loc"][0]))
        own = detail["type"] == "value_error"
        wrong = str(detail["ctx"]["error"]) if own else _WRONG.get(detail["type"], "is not valid")
        yield row.name, f"{wrong}; {row.accepted}; e.g. {row.example}"


def _mistakes(error: ValidationError) -> Iterator[str]:
    """What is wrong with the mapping, line by line."""
    for detail in error.errors(include_input=False, include_url=False):
        if isinstance(found := detail.get("ctx", {}).get("error"), mapping_setting.MistakesError):
            yield from found.mistakes


_PREFIXES = ("MAPPING", "REPLENIT_", "TOPIC_", "BATCH_MAX_", "RATE_LIMIT_", "PENDING_", "SCHEMA_")


def _misspelt(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that nothing reads and that look like one of ours."""
    names = [*_FIELDS, *(f"{name}_FILE" for name in _FIELDS)]
    for name, value in environ.items():
        ours = name.startswith(_PREFIXES) and not _SERVICE_LINK.fullmatch(name)
        if ours and name not in names and value.strip():
            for near in difflib.get_close_matches(name, names, n=1, cutoff=0.8):
                yield name, f"is no setting; one of the documented names; e.g. {near}"


# --- The properties of librdkafka

# What Kubernetes sets in every container for a Service whose name begins with one of our prefixes.
_SERVICE_LINK = re.compile(
    r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
# Properties whose own name ends as the variables that name a file do.
_ENDING_IN_FILE = {
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
}
_COMMITS = "an offset is committed once Replenit has the data, and not before"
_CONFIRMED = "a dead letter counts as written once every replica in sync has it"
_LOCKED = {
    "enable.auto.commit": _COMMITS,
    "auto.commit.enable": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "offset.store.method": _COMMITS,
    "auto.offset.reset": "anything but the earliest offset would skip records in silence",
    "enable.partition.eof": "the end of a partition tells when sending may begin",
    "isolation.level": "what an aborted transaction wrote never happened",
    "enable.idempotence": _CONFIRMED,
    "acks": _CONFIRMED,
    "request.required.acks": _CONFIRMED,
    "transactional.id": "dead letters are written outside transactions",
    "metadata.broker.list": "KAFKA_BOOTSTRAP_SERVERS names the brokers",
}


def _property(variable: str) -> str:
    name = variable.removeprefix("KAFKA_").lower()
    return name if name == "log_level" else name.replace("_", ".")


def _locked(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Properties that safety depends on. Those of topics librdkafka knows with the prefix `topic.` too."""
    for name in texts:
        reason = _LOCKED.get(_property(name).removeprefix("topic."))
        if reason and name not in _FIELDS:
            yield name, f"can't be changed, since {reason}; leave it out"


# --- Documentation


class Row(NamedTuple):
    """How a variable is documented. `default` is None where it is required, "" where it may be left unset."""

    name: str
    default: str | None
    accepted: str
    meaning: str
    example: str


_DOCUMENTED = {"mapping": "MAPPING_FILE"}  # what is rather set by a file


def _row(field: str) -> Row:
    info = Settings.model_fields[field]
    shown: Any = info.json_schema_extra
    name = _DOCUMENTED.get(field, field.upper())
    return Row(name, shown["default"], shown["accepted"], str(info.description), shown["example"])


def describe() -> list[Row]:
    """Every variable but librdkafka's, in the order in which it is documented."""
    return [_row(field) for field in _FIELDS.values()]


def table() -> str:
    """Return the README's table."""
    lines = ["| Variable | Default | Accepted | Meaning |", "|---|---|---|---|"]
    for row in describe():
        default = "required" if row.default is None else f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {default} | {row.accepted} | {row.meaning} |")
    lines.append("| `KAFKA_*` | | | Any other property of librdkafka: `KAFKA_SASL_USERNAME` sets `sasl.username`. |")
    return "\n".join(lines)


def env_example() -> str:
    """Return the file `.env.example`: what is required and one source are set, the rest is commented out."""
    lines = ["# A variable can also be read from a file: NAME_FILE=/path/of/the/file instead of NAME=value."]
    for row in describe():
        mark = "" if row.default is None or row.name == "TOPIC_CUSTOMERS" else "# "
        lines += [
            "",
            f"# {row.meaning}",
            f"# Accepted: {row.accepted}.",
            f"{mark}{row.name}={row.default or row.example}",
        ]
    lines += ["", "# Any other property of librdkafka.", "# KAFKA_SECURITY_PROTOCOL=SASL_SSL", ""]
    return "\n".join(lines)


def with_section(text: str, name: str, body: str) -> str:
    """Return the text with what stands between `<!-- name:begin -->` and `<!-- name:end -->` replaced.

    Raises ValueError if a marker is missing.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the markers {begin} and {end} are missing")
    return f"{before}{begin}\n{body}\n{end}{after}"


def main(paths: list[str]) -> None:
    """Write the documentation: a section of a Markdown file, the whole of any other."""
    for path in map(Path, paths):
        markdown = path.suffix == ".md"
        path.write_text(with_section(path.read_text(), "settings", table()) if markdown else env_example())


if __name__ == "__main__":
    main(sys.argv[1:])
