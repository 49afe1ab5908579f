"""Points in time, from what Debezium makes of them to ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from connector.core.notes import BadValue, Notes, found

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MICROSECONDS_PER_DAY = 86_400_000_000
MICROSECONDS_PER = {
    "io.debezium.time.Timestamp": 1000,
    "org.apache.kafka.connect.data.Timestamp": 1000,
    "io.debezium.time.MicroTimestamp": 1,
    "io.debezium.time.Date": MICROSECONDS_PER_DAY,
    "org.apache.kafka.connect.data.Date": MICROSECONDS_PER_DAY,
}
"""Semantic type of an integer column → its unit."""

NANOSECONDS = "io.debezium.time.NanoTimestamp"
ZONED = frozenset({"io.debezium.time.ZonedTimestamp"})
"""Semantic types of texts that tell their own zone."""

_PER_SECOND = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


def since_epoch(microseconds: int) -> datetime:
    """Raises BadValue for what is infinite or beyond the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise BadValue("is infinite or beyond the years 1 to 9999; expected a time within them") from None


def counted(value: int, unit: str) -> datetime:
    """So many days, seconds or parts of a second after 1970 began."""
    return since_epoch(value * MICROSECONDS_PER_DAY if unit == "days" else value * 1_000_000 // _PER_SECOND[unit])


def local(value: object, zone: ZoneInfo) -> object:
    """The time of a clock in the zone; what tells its distance from UTC, other than by a Z, is left as it is.

    An hour that the clock shows twice is the first one; of an hour that it leaps over, what it would have shown before.
    """
    if isinstance(value, str):
        match = _MOMENT.fullmatch(value)
        if match is None or match[5] not in (None, "Z"):
            return value
        value = datetime.fromisoformat(_normalised(value))
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=zone).astimezone(UTC)
        except OverflowError:
            raise BadValue("is beyond the years 1 to 9999 in UTC; expected a time within them") from None
    if isinstance(value, date):
        return local(datetime(value.year, value.month, value.day, tzinfo=UTC), zone)
    return value


def moment(value: object, _: Notes) -> str:
    """ISO 8601 in UTC, with a `Z` and as many digits of a fraction as it takes. A text without a zone is UTC's."""
    if isinstance(value, datetime):
        return iso(value.astimezone(UTC) if value.tzinfo else value)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, str):
        return _normalised(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise BadValue(
            "is an integer whose unit the message does not tell; expected a time",
            remedy="set the converter's schemas.enable to true, or Debezium's time.precision.mode to isostring",
        )
    raise found(value, "a time")


def iso(value: datetime, fraction: str = "") -> str:
    """Of a time in UTC. `fraction`: digits after the seconds, where it has none; those beyond microseconds are cut."""
    digits = (fraction[:6] or f"{value.microsecond:06}").rstrip("0")
    return f"{value.isoformat()[:19]}.{digits}Z" if digits else f"{value.isoformat()[:19]}Z"


def _normalised(text: str) -> str:
    if match := _MOMENT.fullmatch(text):
        date, clock, seconds, fraction, zone = match.groups()
        try:
            whole = datetime.fromisoformat(f"{date}T{clock or '00:00'}:{seconds or '00'}{zone or 'Z'}")
            return iso(whole.astimezone(UTC) if zone and zone != "Z" else whole, fraction or "")
        except (ValueError, OverflowError):
            pass
    raise BadValue("is a text that is no time of ISO 8601 within the years 1 to 9999; expected one")
