"""What Replenit sees, judged as it happens and in the end."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chaos.shop import ENTITIES, Key, Place

from connector.sandbox.state import State, Upsert
from connector.sandbox.verdict import fullest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from chaos.shop import Shop

    from connector.core.events import Record
    from connector.sandbox.journal import Seen
    from connector.sandbox.rules import Document

OTHERS = "somebody-else"
"""The order that the second client of the key asks for: by it its requests are told from the connector's."""

_IDS = {"customers": "CustomerId", "orders": "OrderId", "products": "ProductId"}
_LONGEST_ILLNESS = 15.0
_AFTER_TAKEOVER = 1
"""Requests that are told again after a takeover, on average: those of the last second before it."""

_LISTS = {"orders": ("OrderItems", "ProductId"), "products": ("ProductVariants", "VariantId")}


@dataclass(frozen=True)
class Fault:
    """A promise that was broken. `key`: of which document, if of one."""

    what: str
    key: Key | None = None

    def __str__(self) -> str:
        return f"{self.key}: {self.what}" if self.key else self.what


class Watched(State):
    """A tenant's documents. Each request that is applied is compared with what the shop's tables went through.

    `shop`: is set before the first request. `told` counts upserts by whether they changed anything.
    """

    shop: Shop

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 (as the base class)
        super().__init__(*arguments, **settings)
        self.broken: list[Fault] = []
        self.told: Counter[str] = Counter()
        self._told: dict[Key, dict[str, int]] = defaultdict(dict)  # the newest version of each part
        self._gone: Counter[Key] = Counter()  # the newest version in which it went, of those that were told
        self._pairs: dict[Key, tuple[int, int]] = {}  # of those whose last request took them away: what was told before

    def upsert(self, entity: str, records: Iterable[Document]) -> None:
        records = list(records)
        before = {record[_IDS[entity]]: self.documents(entity).get(record[_IDS[entity]]) for record in records}
        super().upsert(entity, records)
        new = False
        for record in records:
            key = Key(entity, record[_IDS[entity]])
            new = new or before[key.id] != self.documents(entity)[key.id]
            self._judge(key, record)
        self.told["new" if new else "repeated"] += bool(records)

    def delete(self, entity: str, key: str) -> None:
        self._goes(Key(entity, key))
        super().delete(entity, key)

    def delete_element(self, entity: str, key: str, element: tuple[str, ...]) -> bool:
        history = self.shop.histories[Key(entity, key)]
        if element[0] not in history.items_gone:
            self.broken.append(Fault(f"{element[0]} of it is deleted, and was never removed", Key(entity, key)))
        return super().delete_element(entity, key, element)

    def queue_delete(self, field: str, value: str, now: float) -> None:
        key = Key("customers", value)
        self._goes(key)
        super().queue_delete(field, value, now)

    def _judge(self, key: Key, record: Document) -> None:
        if key.entity == "customers" and record["GdprOptin"] is False:
            if record.keys() != {"CustomerId", "GdprOptin"}:
                self.broken.append(Fault("a customer without consent is sent with more than that", key))
            self._goes(key)
            return
        field = {"customers": "Name", "orders": "TotalQuantity", "products": "ProductName"}[key.entity]
        versions = {key.id: int(str(record[field]).removeprefix("v"))}
        versions |= {variant["VariantId"]: variant["Stock"] for variant in record.get("ProductVariants", ())}
        told = self._told[key]
        for part, version in versions.items():
            if version < told.get(part, 0):
                self.broken.append(Fault(f"version {version} of {part} follows {told[part]}", key))
            told[part] = max(version, told.get(part, 0))
        newest, (before, told_before) = max(versions.values()), self._pairs.pop(key, (0, 0))
        if newest < self._gone[key] and newest == told_before:  # DELETE, then POST: an older removal was told again
            self._gone[key] = before
            self.told["told again"] += 1
        elif newest < self._gone[key]:
            self.broken.append(Fault(f"version {newest} follows {self._gone[key]}, in which it went", key))

    def _goes(self, key: Key) -> None:
        """A row that is gone is told: the oldest of the versions in which it went that can be meant."""
        if key.id == OTHERS:
            return
        gone = self.shop.histories[key].gone if key in self.shop.histories else []
        newest = max(self._gone[key], *self._told[key].values(), 0)
        place = bisect_right(gone, newest)
        if place < len(gone):
            self._pairs[key] = (self._gone[key], max(self._told[key].values(), default=0))
            self._gone[key] = gone[place]
        elif not gone:
            self.broken.append(Fault("it is taken away, and its row never went", key))
        elif gone[-1] < newest:  # told again after a restart: its newest state must follow
            self.told["told again"] += 1


def final_state(shop: Shop, held: dict[str, dict[str, Document]], upsert: Upsert) -> Iterator[Fault]:
    """Compare what is held with the tables."""
    strangers = [
        Key(entity, each) for entity in ENTITIES for each in held[entity] if Key(entity, each) not in shop.histories
    ]
    for key in strangers:
        yield Fault("there was never such a row", key)
    for key, wanted in shop.expected():
        found = held[key.entity].get(key.id)
        if shop.excused(key):
            continue
        if wanted is None and found is not None and found.get("GdprOptin") is False:
            continue
        if wanted is None:
            if found is not None:
                yield Fault("it is held, and should not be", key)
        elif found is None:
            yield Fault("it is missing", key)
        elif not _same(key.entity, wanted, found, upsert):
            yield Fault(f"held is {found}, and should be {wanted}", key)


def _same(entity: str, wanted: Document, found: Document, upsert: Upsert) -> bool:
    if entity in _LISTS:
        name, identity = _LISTS[entity]
        wanted, found = (
            {**each, name: sorted(each[name], key=lambda item: str(item[identity]))} for each in (wanted, found)
        )
    return found == (wanted if upsert is Upsert.REPLACE else {**found, **wanted})


def letters(shop: Shop, found: Sequence[Record]) -> Iterator[Fault]:
    """Every bad record and no other has a dead letter, byte for byte.

    One that a newer state of its row has replaced before the API saw it needs none, where only the API tells.
    """
    by_place = {change.place: change for change in shop.changes if change.place}
    newest = {(change.table, change.row): change for change in shop.changes if change.op != "tombstone"}
    dead = set()
    for letter in found:
        told = {name: (value or b"").decode() for name, value in letter.headers}
        place = Place(
            told["__connect.errors.topic"],
            int(told["__connect.errors.partition"]),
            int(told["__connect.errors.offset"]),
        )
        change = by_place.get(place)
        dead.add(place)
        if change is None:
            yield Fault(f"a dead letter of {place}, where nothing was written")
        elif (letter.key, letter.value) != (change.key_bytes, change.value):
            yield Fault(f"the dead letter of {place} has other bytes", change.key)
        elif told["replenit.reason"] != (change.flaw or ("rejected" if shop.poisoned(change.key) else "")):
            yield Fault(f"{change} has a dead letter that says {told['replenit.reason']}", change.key)
    wanted = {key for key, document in shop.expected() if document is not None and shop.poisoned(key)}
    for change in shop.changes:
        last = newest.get((change.table, change.row)) is change
        must = change.flaw or (last and change.key in wanted)
        if must and change.place not in dead and not (change.flaw == "invalid" and not last):
            yield Fault(f"{change} has no dead letter", change.key)


def repeated(
    found: Iterable[Record], assigned: Mapping[str, Sequence[float]], illnesses: Iterable[float]
) -> Iterator[Fault]:
    """One letter a record, and one more each time that its partition was assigned or Kafka may not have confirmed it.

    All times are UNIX seconds; `assigned`: partition → when it was.
    """
    written = defaultdict(list)
    for letter in found:
        told = dict(letter.headers)
        origin = (told["__connect.errors.topic"] or b"").decode(), (told["__connect.errors.partition"] or b"").decode()
        written["-".join(origin), told["__connect.errors.offset"]].append((letter.timestamp_ms or 0) / 1000)
    for (partition, offset), times in written.items():
        first, last = min(times), max(times)
        anew = sum(first < each < last for each in assigned.get(partition, ()))
        ill = sum(first - _LONGEST_ILLNESS < each < last for each in illnesses)
        if len(times) > 1 + anew + ill:
            yield Fault(
                f"{len(times)} dead letters of {partition}@{(offset or b'').decode()}, which was assigned {anew} times "
                f"between them, while Kafka was ill {ill} times"
            )


def windows(seen: Sequence[Seen], limits: tuple[int, int]) -> tuple[tuple[int, int], list[Fault]]:
    """The fullest minute and hour of these requests, by the server's clock."""
    times = sorted(each.time for each in seen)
    found = (fullest(times, 60), fullest(times, 3600))
    names = zip(("minute", "hour"), found, limits, strict=True)
    return found, [
        Fault(f"the fullest {name} had {count} requests, and the limit is {limit}")
        for name, count, limit in names
        if count > limit
    ]


def waste(shop: Shop, told: Counter[str], seen: Sequence[Seen], takeovers: int) -> Iterator[Fault]:
    """Requests that told nothing new, beyond a tenth of the others and what the faults cost.

    What was delivered and not committed is told again after a takeover, and so is what a lost answer told.
    """
    lost = sum(not each.status or "slow" in each.fault for each in seen)
    excused = _AFTER_TAKEOVER * takeovers + lost
    most = told["new"] / 10 + excused
    if told["repeated"] > most:
        yield Fault(f"{told['repeated']} upserts told nothing new: more than {most:.0f}")
    deletes = sum(each.method == "DELETE" and each.status in {0, 200, 404} for each in seen)
    gone = sum(len(each.gone) + sum(map(len, each.items_gone.values())) for each in shop.histories.values())
    if deletes > 1.1 * gone + excused:
        yield Fault(f"{deletes} deletes for {gone} rows and items that went")
