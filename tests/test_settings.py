"""The settings: every mistake at once, no secret shown, and documentation that says what the code does."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.events import Entity
from connector.errors import ConfigurationError
from connector.settings import ApiKey, describe, env_example, load, main, table, with_section

ROOT = Path(__file__).parents[1]
SECRET = "hunter2-s3cr3t"
MINIMAL = {
    "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "REPLENIT_API_KEY": SECRET,
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "TOPIC_ORDERS": "shop.orders",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    assert caught.value.__cause__ is None  # pydantic's own error may quote a value
    return caught.value.problems


def named(environ: dict[str, str]) -> list[str]:
    return [problem.partition(":")[0] for problem in problems(environ)]


def test_the_least_that_must_be_set_gives_the_documented_defaults() -> None:
    """Four variables are enough, and every other one has the default that its documentation shows."""
    settings = load(MINIMAL)
    explicit = load(MINIMAL | {row.name: row.default for row in describe() if row.default})
    assert settings.model_dump(exclude={"replenit_api_key"}) == explicit.model_dump(exclude={"replenit_api_key"})
    assert settings.topics == {Entity.ORDERS: ("shop.orders",)}
    assert settings.dead_letter_topic == "replenit-connector.dead-letters"
    assert settings.batch_max == {Entity.CUSTOMERS: 500, Entity.ORDERS: 200, Entity.PRODUCTS: 100}
    assert (settings.rate_limit_per_minute, settings.rate_limit_per_hour) == (100, 5000)
    assert settings.suppress_unchanged is True


def test_an_empty_environment_lists_everything_that_is_required() -> None:
    """What is missing is told in one message, one line a variable, each with an example."""
    found = problems({})
    assert [problem.partition(":")[0] for problem in found] == [
        "KAFKA_BOOTSTRAP_SERVERS",
        "REPLENIT_API_KEY",
        "REPLENIT_TENANT_ID",
        "TOPIC_PRODUCTS",
    ]
    assert all(problem.count("; ") == 2 and "; e.g. " in problem for problem in found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLENIT_TENANT_ID", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}"),
        ("REPLENIT_TENANT_ID", "3f2504e04f8941d39a0c0305e82c3301"),
        ("REPLENIT_API_KEY", "two words"),
        ("REPLENIT_API_KEY", "schlüssel"),
        ("REPLENIT_API_KEY", "key\r\nx-replenit-tenant: other"),
        ("REPLENIT_API_KEY", "key\nother"),
        ("REPLENIT_API_KEY", "key\0"),
        ("REPLENIT_API_KEY", "k" * 5000),
        ("REPLENIT_BASE_URL", "http://api.replen.it"),
        ("REPLENIT_BASE_URL", "https://user:password@api.replen.it"),
        ("REPLENIT_BASE_URL", "https://api.replen.it?key=1"),
        ("REPLENIT_BASE_URL", "https://api.replen.it:port"),
        ("REPLENIT_BASE_URL", "https://[api"),
        ("REPLENIT_BASE_URL", "api.replen.it"),
        ("REPLENIT_BASE_URL", "https://api.replen.it/\r\nx: y"),
        ("REPLENIT_BASE_URL", f"https://{'a' * 64}.com"),
        ("REPLENIT_BASE_URL", "https://a..b"),
        ("REPLENIT_BASE_URL", "https://a b.com"),
        ("SCHEMA_REGISTRY_URL", "https://user:password@registry"),
        ("SCHEMA_REGISTRY_URL", "https://regis\ttry"),
        ("KAFKA_BOOTSTRAP_SERVERS", "http://kafka:9092/path"),
        ("KAFKA_BOOTSTRAP_SERVERS", ","),
        ("KAFKA_GROUP_ID", "a b"),
        ("TOPIC_ORDERS", "^shop.*"),
        ("TOPIC_ORDERS", "a,b,a"),
        ("TOPIC_PRODUCTS", "shop.orders"),
        ("DEAD_LETTER_TOPIC", "shop.orders"),
        ("DEAD_LETTER_TOPIC", "a,b"),
        ("RATE_LIMIT_PER_MINUTE", "3"),
        ("RATE_LIMIT_PER_HOUR", "59"),
        ("RATE_LIMIT_PER_HOUR", "99"),
        ("BATCH_MAX_CUSTOMERS", "1001"),
        ("BATCH_MAX_ORDERS", "501"),
        ("BATCH_MAX_PRODUCTS", "0"),
        ("LINGER_MAX", "7.9"),
        ("LINGER_MAX", "inf"),
        ("DELETE_LINGER", "nan"),
        ("HTTP_TIMEOUT", "61"),
        ("SHUTDOWN_TIMEOUT", "soon"),
        ("PENDING_MAX_KEYS", "1.5"),
        ("PENDING_MAX_BYTES", "256"),
        ("PENDING_MAX_BYTES", "-1MB"),
        ("SUPPRESS_UNCHANGED", "perhaps"),
        ("CONTRACT", "loose"),
        ("EMPTY_ORDERS", "keep"),
        ("NULLS", "none"),
        ("REMOVALS", "all"),
        ("CUSTOMER_IDENTIFIER", "Phone"),
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", "xml"),
        ("HTTP_HOST", "localhost"),
        ("HTTP_PORT", "65536"),
    ],
)
def test_a_wrong_value_is_named_and_not_quoted(name: str, value: str) -> None:
    """Each check refuses its mistake under the variable's name, with what is accepted, and without the value."""
    [problem] = problems(MINIMAL | {name: value})
    assert problem.startswith(f"{name}: ")
    row = next(row for row in describe() if row.name == name)
    assert problem.endswith(f"; {row.accepted}; e.g. {row.example}")
    assert value not in problem.removesuffix(row.example) or value in {",", "3", "0"}


def test_all_mistakes_are_listed_at_once_and_none_shows_a_secret() -> None:
    """A wrong form, a missing value, a locked property and a misspelt name come together; no text holds the key."""
    environ = {
        "REPLENIT_API_KEY": SECRET,
        "REPLENIT_TENANT_ID": SECRET,
        "KAFKA_ACKS": SECRET,
        "KAFKA_SASL_PASSWORD": SECRET,
        "TOPIC_CUSTOMER": SECRET,
        "HTTP_PORT": SECRET,
        "REPLENIT_BASE_URL": f"https://me:{SECRET}@[x",
        "KAFKA_GROUP_ID_FILE": f"/{SECRET}",
    }
    assert named(environ) == [
        "HTTP_PORT",
        "KAFKA_ACKS",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_GROUP_ID_FILE",
        "REPLENIT_BASE_URL",
        "REPLENIT_TENANT_ID",
        "TOPIC_CUSTOMER",
        "TOPIC_PRODUCTS",
    ]
    assert SECRET not in "".join(problems(environ))


def test_settings_can_be_printed() -> None:
    """Neither the API's key nor a property of librdkafka appears in the representation of the settings."""
    settings = load(MINIMAL | {"KAFKA_SASL_PASSWORD": SECRET})
    assert settings.kafka["sasl.password"] == SECRET
    assert SECRET not in f"{settings!r} {settings} {settings.replenit_api_key}"


def test_a_group_that_is_wrong_causes_one_problem() -> None:
    """The dead-letter topic is named after the group, and is not blamed for the group's name."""
    assert named(MINIMAL | {"KAFKA_GROUP_ID": "a b"}) == ["KAFKA_GROUP_ID"]
    assert named(MINIMAL | {"KAFKA_GROUP_ID": "gruppe-ä"}) == ["DEAD_LETTER_TOPIC"]


def test_the_email_as_identifier_makes_families_of_customers() -> None:
    """What rows are needed to know who had an address is kept; the other entities are not."""
    topics = {"TOPIC_CUSTOMERS": "shop.customers"}
    assert list(load(MINIMAL | topics | {"CUSTOMER_IDENTIFIER": "Email"}).families) == [Entity.CUSTOMERS]
    assert load(MINIMAL | topics).families == {}


@pytest.mark.parametrize("url", ["http://localhost:8081", "http://127.0.0.1:1/", "http://[::1]:80", "https://x/y/"])
def test_plain_http_is_for_this_machine(url: str) -> None:
    """A loopback address may be reached without encryption, and a slash at the end makes no difference."""
    assert load(MINIMAL | {"REPLENIT_BASE_URL": url}).replenit_base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.com",
        "127.0.0.1.nip.io",
        "localhost@evil.com",
        "evil.com@localhost",
        "localhost\\@evil.com",
        "127.0.0.1\\.evil.com",
        "127.0.0.1%2eevil.com",
        "127.0.0.1#@evil.com",
        "127.0.0.1?@evil.com",
        "loc\talhost",
        "localhost\0.evil.com",
        "localhost.",
        "[::ffff:8.8.8.8]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
        "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
        "/127.0.0.1",
        "10.0.0.1",
    ],
)
def test_plain_http_to_what_only_looks_like_this_machine_is_refused(host: str) -> None:
    """Names that begin with one of ours, users before another host, addresses that readers disagree on."""
    assert named(MINIMAL | {"REPLENIT_BASE_URL": f"http://{host}"}) == ["REPLENIT_BASE_URL"]
    assert named(MINIMAL | {"REPLENIT_BASE_URL": f"HTTP://{host}/x"}) == ["REPLENIT_BASE_URL"]


@given(st.text(alphabet="http:/localhost127.0.0.1@\\#?[]%.evil \t\n\0\xe9\uff11", max_size=40))
def test_what_is_accepted_goes_where_the_check_looked(rest: str) -> None:
    """Whatever an address holds: the client is given the host that was checked, and with plain http that is ours."""
    try:
        url = load(MINIMAL | {"REPLENIT_BASE_URL": f"http://{rest}"}).replenit_base_url
    except ConfigurationError:
        return
    host = httpx.URL(url).host
    assert host == "localhost" or ipaddress.ip_address(host).is_loopback


def test_a_file_of_any_size_is_refused_before_it_fills_the_memory() -> None:
    """One that never ends is no other."""
    for name in ("MAPPING_FILE", "REPLENIT_TENANT_ID_FILE", "KAFKA_SASL_PASSWORD_FILE"):
        [problem] = [
            each for each in problems(MINIMAL | {name.removesuffix("_FILE"): "", name: "/dev/zero"}) if "names" in each
        ]
        assert "of more than 1000000 bytes" in problem


def test_a_key_file_that_holds_another_file_is_no_key(tmp_path: Path) -> None:
    """What a header can't carry halts, whatever is put there later; the file is read no further than a key is long."""
    file = tmp_path / "key"
    file.write_text("c2VjcmV0\r\n")
    key = ApiKey("c2VjcmV0", file)
    assert key.value() == "c2VjcmV0"
    for text in ("a\r\nx-other: b", "a\0", "a b", "k" * 4097, "k" * 1_000_000):
        file.write_text(text)
        assert key.value() is None
        assert key.fingerprint() is None
    file.write_text("k" * 4096)
    assert key.value() == "k" * 4096


@pytest.mark.parametrize(
    ("text", "number"),
    [("1000000", 10**6), ("256MB", 256 * 10**6), ("256 MiB", 256 * 2**20), ("2g", 2 * 10**9), ("1024Ki", 2**20)],
)
def test_bytes_may_have_a_unit(text: str, number: int) -> None:
    """Units of a thousand and of 1,024 are told apart, and the case of most letters does not matter."""
    assert load(MINIMAL | {"PENDING_MAX_BYTES": text.replace("g", "G")}).pending_max_bytes == number


@given(st.integers(4, 2000), st.integers(60, 100_000))
def test_every_accepted_limit_leaves_a_rate(minute: int, hour: int) -> None:
    """Whatever pair of limits is accepted, the token bucket that is made of it refills."""
    environ = MINIMAL | {"RATE_LIMIT_PER_MINUTE": str(minute), "RATE_LIMIT_PER_HOUR": str(hour)}
    if hour < minute:
        assert named(environ) == ["RATE_LIMIT_PER_HOUR"]
        return
    settings = load(environ)
    burst = max(1, settings.rate_limit_per_minute * 16 // 100)
    assert min((minute - burst - 1) / 60, (hour - burst - 10) / 3600) > 0


@given(st.dictionaries(st.sampled_from([row.name for row in describe()]), st.text(max_size=12), max_size=6))
def test_no_text_breaks_the_reading(values: dict[str, str]) -> None:
    """Any texts give settings or a list of problems, never another exception."""
    try:
        settings = load(MINIMAL | values)
    except ConfigurationError as error:
        assert error.problems  # noqa: PT017 (either way is right)
    else:
        assert settings.topics


def test_a_value_can_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE is read without the newline at its end, for our own variables and for librdkafka's."""
    for name, text in (("key", "file-key\n"), ("password", " two words \r\n"), ("port", "0\n")):
        (tmp_path / name).write_bytes(text.encode())
    environ = {name: value for name, value in MINIMAL.items() if name != "REPLENIT_API_KEY"} | {
        "REPLENIT_API_KEY_FILE": str(tmp_path / "key"),
        "KAFKA_SSL_KEY_PASSWORD_FILE": str(tmp_path / "password"),
        "HTTP_PORT_FILE": str(tmp_path / "port"),
    }
    settings = load(environ)
    assert settings.replenit_api_key.value() == "file-key"
    assert settings.kafka["ssl.key.password"] == " two words "
    assert settings.http_port == 0
    assert named(environ | {"HTTP_PORT": "8080"}) == ["HTTP_PORT_FILE"]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_useless_file_is_one_problem(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty or no text is told under its variable; the value does not count as missing too."""
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    environ = {**MINIMAL, "REPLENIT_API_KEY": "", "REPLENIT_API_KEY_FILE": str(path)}
    assert named(environ) == ["REPLENIT_API_KEY_FILE"]
    assert str(path) not in problems(environ)[0]


def test_a_file_named_with_a_null_byte_is_a_problem() -> None:
    """What the operating system can't take as a path is refused like a file that can't be read."""
    assert named({**MINIMAL, "HTTP_PORT_FILE": "a\0b"}) == ["HTTP_PORT_FILE"]


def test_the_api_key_follows_its_file(tmp_path: Path) -> None:
    """A new key is seen at the next look, by a new fingerprint; no key is told while the file is gone or unusable."""
    path = tmp_path / "key"
    path.write_text("first\n")
    key = ApiKey("first", path)
    first = key.fingerprint()
    assert (key.value(), key.fingerprint()) == ("first", first)
    path.write_text("other\n")
    os.utime(path, ns=(1, 1))
    assert key.value() == "other"
    assert key.fingerprint() not in {first, None}
    path.unlink()
    assert (key.value(), key.fingerprint()) == (None, None)
    path.write_text("")
    assert key.value() is None
    path.write_text("two words")
    assert key.value() is None
    path.write_text("first")
    assert (key.value(), key.fingerprint()) == ("first", first)


def test_a_fingerprint_tells_nothing_outside_its_process() -> None:
    """Two objects give one key different fingerprints, so that a list of known keys can't be tried."""
    assert ApiKey("key").fingerprint() != ApiKey("key").fingerprint()


def test_properties_of_librdkafka_are_passed_on() -> None:
    """Names are lower-cased with dots, but for the one that has an underscore and those that end like a file's."""
    settings = load(
        MINIMAL
        | {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_LOG_LEVEL": "6",
            "KAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE": "/key.pem",
            "KAFKA_CLIENT_ID": "",
        }
    )
    assert settings.kafka == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "SASL_SSL",
        "log_level": "6",
        "sasl.oauthbearer.assertion.private.key.file": "/key.pem",
    }


@pytest.mark.parametrize(
    "name",
    [
        "KAFKA_ENABLE_AUTO_COMMIT",
        "KAFKA_AUTO_COMMIT_ENABLE",
        "KAFKA_ENABLE_AUTO_OFFSET_STORE",
        "KAFKA_AUTO_OFFSET_RESET",
        "KAFKA_TOPIC_AUTO_OFFSET_RESET",
        "KAFKA_ENABLE_PARTITION_EOF",
        "KAFKA_ISOLATION_LEVEL",
        "KAFKA_ENABLE_IDEMPOTENCE",
        "KAFKA_ACKS",
        "KAFKA_REQUEST_REQUIRED_ACKS",
        "KAFKA_TRANSACTIONAL_ID",
        "KAFKA_METADATA_BROKER_LIST",
    ],
)
def test_what_safety_depends_on_is_locked(name: str) -> None:
    """Each locked property is refused with the reason, aliases and the prefix for topics included."""
    [problem] = problems(MINIMAL | {name: "value"})
    assert problem.startswith(f"{name}: can't be changed, since ")


def test_service_links_of_kubernetes_are_no_settings() -> None:
    """What Kubernetes sets for Services named kafka, kafka-ui or replenit-connector is ignored."""
    links = [
        "KAFKA_SERVICE_HOST",
        "KAFKA_SERVICE_PORT",
        "KAFKA_SERVICE_PORT_TCP_CLIENT",
        "KAFKA_PORT",
        "KAFKA_PORT_9092_TCP",
        "KAFKA_PORT_9092_TCP_PROTO",
        "KAFKA_PORT_9092_TCP_PORT",
        "KAFKA_PORT_9092_TCP_ADDR",
        "KAFKA_UI_SERVICE_HOST",
        "REPLENIT_API_KEY_SERVICE_PORT",
    ]
    assert load(MINIMAL | dict.fromkeys(links, "tcp://10.0.0.1:9092")).kafka == {"bootstrap.servers": "kafka:9092"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RATE_LIMIT_PER_MIN", "RATE_LIMIT_PER_MINUTE"),
        ("TOPIC_CUSTOMER", "TOPIC_CUSTOMERS"),
        ("REPLENIT_KEY", "REPLENIT_API_KEY"),
        ("REPLENIT_APIKEY_FILE", "REPLENIT_API_KEY_FILE"),
        ("PENDING_KEYS", "PENDING_MAX_KEYS"),
        ("BATCH_MAX_ORDER", "BATCH_MAX_ORDERS"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_right_one(name: str, meant: str) -> None:
    """A variable that nothing reads and that resembles one of ours is an error, not a default in silence."""
    [problem] = problems(MINIMAL | {name: "1"})
    assert problem.startswith(f"{name}: ")
    assert problem.endswith(f"e.g. {meant}")


def test_variables_of_others_are_ignored() -> None:
    """What neither has our prefixes nor resembles our names is nobody's mistake."""
    load(MINIMAL | {"PATH": "/bin", "TOPIC_OF_THE_DAY": "x", "HTTP_PROXY": "http://proxy", "kafka_acks": "0"})


def test_the_readme_documents_the_settings() -> None:
    """The README's table is what the definitions give; `python -m connector.settings README.md` writes it."""
    readme = (ROOT / "README.md").read_text()
    assert with_section(readme, "settings", table()) == readme


def test_the_example_documents_the_settings() -> None:
    """The file .env.example is what the definitions give; `python -m connector.settings .env.example` writes it."""
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_works() -> None:
    """The example is a valid configuration, as it stands and with everything in it switched on."""
    lines = env_example().splitlines()
    every = [line.removeprefix("# ") for line in lines if "=" in line and " " not in line.removeprefix("# ")]
    assert {line.partition("=")[0] for line in every} == {row.name for row in describe()} | {"KAFKA_SECURITY_PROTOCOL"}
    for some in ([line for line in lines if line[:1].isalpha()], every):
        assert load(dict(line.split("=", 1) for line in some)).topics


def test_the_documentation_is_written_into_its_files(tmp_path: Path) -> None:
    """A Markdown file keeps what stands around the markers; another file is replaced; missing markers are refused."""
    readme, example = tmp_path / "README.md", tmp_path / ".env.example"
    readme.write_text("above\n<!-- settings:begin -->\nold\n<!-- settings:end -->\nbelow\n")
    main([str(readme), str(example)])
    text = readme.read_text()
    assert text.startswith("above\n<!-- settings:begin -->\n| Variable |")
    assert text.endswith("|\n<!-- settings:end -->\nbelow\n")
    assert example.read_text() == env_example()
    with pytest.raises(ValueError, match="markers"):
        with_section("nothing", "settings", "")
