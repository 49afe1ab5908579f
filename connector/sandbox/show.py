"""The demo before its spectators: a live screen in a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

from connector.sandbox.screen import plain, screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from rich.console import Console

    from connector.sandbox.screen import Figures

_FRAME = 0.15  # seconds of real time between two pictures
_LINE = 5.0  # and between two lines
_MOST_NEWS = 50


class Show:
    """Shows what it is given while the `with` block lasts. `draw` may be called as often as one likes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._news: deque[tuple[str, str]] = deque(maxlen=_MOST_NEWS)
        self._due = 0.0
        terminal = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(console=console, screen=True, auto_refresh=False) if terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back as it was."""
        if self._live is not None:
            self._live.stop()

    @property
    def news(self) -> Sequence[tuple[str, str]]:
        """What was told, as style and sentence."""
        return tuple(self._news)

    def tell(self, sentence: str, style: str = "") -> None:
        self._news.append((style, sentence))
        if self._live is None:
            self._console.print(Text(sentence, style), soft_wrap=True)

    def draw(self, figures: Callable[[], Figures]) -> None:
        """Show a moment, if it is time for the next picture or line."""
        now = time.monotonic()
        if now < self._due:
            return
        if self._live is None:
            if self._due:  # nothing has happened before the first
                self._console.print(Text(plain(figures())), soft_wrap=True)
            self._due = now + _LINE
        else:
            width, height = self._console.size
            self._live.update(screen(figures(), width, height), refresh=True)
            self._due = now + _FRAME
