"""When refusals are no longer a few bad records but a bad setting: a window of verdicts, and what to call its cause."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING

from connector.core import documents
from connector.core.events import FieldError, Reason

if TYPE_CHECKING:
    from connector.core.events import Reject

LENGTH = 500
FEWEST = 20
MOST = 50
_BY_THE_API = (Reason.REJECTED, Reason.TOO_LARGE, Reason.SERVER_ERROR)
"""Reasons whose errors may be in the API's words."""

LONGEST_DOUBT = 900.0
"""Seconds after which refusals that nothing followed are taken for a setting's fault."""

_INDEX = re.compile(r"\[\d+\]")
_LONGEST = 160
_RULES = frozenset(
    """
    a above accepted address allowed an and array at be below between bigger blank boolean by cannot character
    characters code convert converted could country currency date decimal duplicate e-mail email empty equal error
    exceed exceeds exist expected field fields following for format found greater has have in integer international
    invalid is iso item json least length less letters long longer match maximum minimum missing more must negative
    no not null number of one only or path phone positive properties property range required short shorter should
    string supported than the there this time timestamp to too type unknown unsupported upper uppercase utc valid
    value values was with within zero
    """.split()  # noqa: SIM905 (it is a text: words to be read)
)
"""The words in which rules are told."""

_FIELDS = frozenset(
    name
    for fields in documents.FIELDS.values()
    for each in fields
    for name in (each.name, *(element.name for element in each.elements))
)
"""Beside them, fields. What the API says beyond both may be somebody's data."""


class Window:
    """The verdicts on the last 500 records of which one is known.

    A refusal is a dead letter until 20 of them outweigh what was accepted meanwhile, be it after a long good time: then
    refusals are `doubtful`, until what comes next tells. They are a setting's fault, the window is `broken`, once they
    are half of it, or 50 of them outweigh: a cluster of bad rows is smaller, and good ones follow it.
    """

    def __init__(self) -> None:
        self._verdicts: deque[str | None] = deque()
        self._refused = 0
        self._run = 0  # refusals since they began to outweigh
        self._surplus = 0  # by how many they do

    def accept(self) -> None:
        self._surplus -= 1
        if self._surplus < 0:
            self._surplus = self._run = 0
        self._add(None)

    def refuse(self, cause: str) -> None:
        self._surplus += 1
        self._run += 1
        self._refused += 1
        self._add(cause)

    def _add(self, verdict: str | None) -> None:
        self._verdicts.append(verdict)
        if len(self._verdicts) > LENGTH and self._verdicts.popleft() is not None:
            self._refused -= 1

    @property
    def doubtful(self) -> bool:
        return self._run >= FEWEST or self.broken

    @property
    def broken(self) -> bool:
        return self._run >= MOST or (self._refused >= FEWEST and 2 * self._refused >= len(self._verdicts))

    def cause(self) -> str:
        """The most frequent cause of a refusal."""
        causes = Counter(verdict for verdict in self._verdicts if verdict is not None)
        return causes.most_common(1)[0][0] if causes else ""


def cause(reject: Reject) -> str:
    """What a record was refused for, alike for records that have the same fault: its first error's field and rule.

    The API's words may quote a value: of these only the known words of rules are kept, so that nobody's data gets into
    a log line or a status. The mapping's own never do.
    """
    if not reject.errors:
        return reject.reason
    path, rule = showable(reject.reason, reject.errors[0])
    return " ".join(part for part in (f"{reject.reason}:", any_index(path), rule.rstrip(".") + ".") if part)


def showable(reason: str, error: FieldError) -> FieldError:
    """What anybody may read of an error: of the API's words, the known ones."""
    if reason not in _BY_THE_API:
        return error
    parts = [part if _INDEX.sub("", part) in _FIELDS else "…" for part in error.path.split(".")]
    return FieldError(".".join(parts) if error.path else "", _told(error.problem))


def any_index(path: str) -> str:
    """The path, alike for all elements of a list."""
    return _INDEX.sub("[]", path)


def _told(words: str) -> str:
    """The words with what may be data left out."""
    kept = (word if word.strip(".,:;").lower() in _RULES else "…" for word in words.split())
    return re.sub(r"…(?: …)+", "…", " ".join(kept))[:_LONGEST]
