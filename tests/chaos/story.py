"""How a promise came to be broken: what concerns the document or the requests in question, and all around it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.judge import Fault
    from chaos.stage import Stage

    from connector.sandbox.journal import Seen

_LONGEST = 80
_LOGGED = {"starting", "assigned", "revoked", "lost", "lapsed", "halted", "recovered", "suspended", "lane_resumed"}


def story(stage: Stage, fault: Fault) -> str:
    """The last lines of it, in the clock's seconds: of what is around the document's own, and of those."""
    own = sorted([*_changes(stage, fault), *_requests(stage, fault)])[-_LONGEST:]
    told = sorted([*own, *sorted(_around(stage))[-_LONGEST:]])
    return "\n".join(f"  {at:8.1f}  {what}" for at, what in told)


def logged(stage: Stage) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """What the processes say of themselves: UNIX time, process, line."""
    for output in sorted(stage.folder.glob("output-*")):
        for line in output.read_text(errors="replace").splitlines():
            said = json.loads(line) if line.startswith('{"time"') and line.endswith("}") else {}
            if said.get("event") in _LOGGED:
                yield datetime.fromisoformat(said["time"]).timestamp(), output.name.removeprefix("output-"), said


def _around(stage: Stage) -> Iterator[tuple[float, str]]:
    """What befell, and what the processes say of themselves."""
    yield from ((at, f"-- {what}") for at, what in stage.told)
    for time, process, said in logged(stage):
        about = said.get("partitions") or [said.get("lane", ""), said.get("reason", "")]
        at = (time - stage.clock.began) * stage.clock.speed
        yield at, f"   {process}: {said['event']} {' '.join(map(str, about))}"


def _changes(stage: Stage, fault: Fault) -> Iterator[tuple[float, str]]:
    if fault.key in stage.shop.histories:
        for change in stage.shop.histories[fault.key].changes:
            yield change.at - stage.clock.began, str(change)


def _requests(stage: Stage, fault: Fault) -> Iterator[tuple[float, str]]:
    """Those that carried the document, or that the fault names by their numbers."""
    numbers = {int(number) for number in re.findall(r"#(\d+)", fault.what)}
    for seen in stage.sandbox.requests:
        if seen.number in numbers or _carries(seen, fault):
            yield seen.time - stage.sandbox.epoch, _told(seen)


def _carries(seen: Seen, fault: Fault) -> bool:
    return fault.key is not None and fault.key.id in seen.ids and fault.key.entity[:-1] in seen.endpoint


def _told(seen: Seen) -> str:
    fault = f", {seen.fault}" if seen.fault else ""
    return f"#{seen.number} {seen.endpoint}: {seen.status or 'no answer'} after {seen.seconds:.1f} s{fault}"
