"""Records the demo's terminal as a picture that moves: an SVG, whose text stays text.

With `replenit-connector` on the path: `uv run --no-project --with pyte tests/recording/demo.py .github/demo.svg`.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import sys
import termios
from fcntl import ioctl
from html import escape
from itertools import groupby
from pathlib import Path
from time import monotonic

import pyte

COLUMNS, ROWS = 110, 34
EVERY = 2.5
"""Seconds between two pictures."""

LAST = 10.0
"""Seconds for which the last one stays."""

WIDTH, HEIGHT = 7.8, 17
COLOURS = {
    "default": "#d4d4d4", "black": "#666666", "red": "#f14c4c", "green": "#23d18b", "brown": "#e5e510",
    "blue": "#3b8eea", "magenta": "#d670d6", "cyan": "#29b8db", "white": "#e5e5e5", "brightblack": "#8a8a8a",
}  # fmt: skip


def record() -> list[str]:
    """Run the demo on a terminal of its own; what it shows now and then, as groups of an SVG."""
    child, terminal = pty.fork()
    if not child:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)}
        os.execvp("replenit-connector", ["replenit-connector", "demo"])
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream, shown, due = pyte.ByteStream(screen), [], monotonic() + 4
    while True:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                stream.feed(os.read(terminal, 65536))
            except OSError:  # it has ended
                break
        if monotonic() >= due:
            due += EVERY
            shown.append(_picture(screen))
    if os.waitpid(child, 0)[1]:
        sys.exit("the demo failed")
    return [*shown, _picture(screen)]


def _picture(screen: pyte.Screen) -> str:
    lines = []
    for number in range(ROWS):
        cells = [screen.buffer[number][column] for column in range(COLUMNS)]
        runs, column = [], 0
        for style, group in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
            text = "".join(cell.data for cell in group)
            if text.strip():
                colour = COLOURS.get(style[0], f"#{style[0]}")
                bold = ' font-weight="bold"' if style[1] else ""
                shown = escape(text.rstrip()).replace(" ", chr(160))
                runs.append(f'<tspan x="{column * WIDTH:.1f}" fill="{colour}"{bold}>{shown}</tspan>')
            column += len(text)
        if runs:
            lines.append(f'<text y="{(number + 1) * HEIGHT}">{"".join(runs)}</text>')
    return "".join(lines)


def picture(shown: list[str]) -> str:
    """One SVG that shows all of them in turn."""
    length = EVERY * (len(shown) - 1) + LAST
    width, height = COLUMNS * WIDTH + 24, ROWS * HEIGHT + 24
    groups = []
    for number, each in enumerate(shown):
        begin, end = EVERY * number / length, min(1.0, EVERY * (number + 1) / length)
        end = 1.0 if number == len(shown) - 1 else end
        times = f"0;{begin:.4f};{end:.4f};1" if number else f"0;0.0001;{end:.4f};1"
        values = "hidden;visible;hidden;hidden" if end < 1 else "hidden;visible;visible;visible"
        animation = (
            f'<animate attributeName="visibility" values="{values}" keyTimes="{times}" dur="{length}s" '
            'calcMode="discrete" repeatCount="indefinite"/>'
        )
        still = "visible" if number == len(shown) - 1 else "hidden"  # where nothing moves, the last one is seen
        groups.append(f'<g visibility="{still}">{animation}{each}</g>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">'
        "<title>replenit-connector demo on a terminal</title>"
        f'<rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>'
        '<g transform="translate(12 6)" font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" '
        f'font-size="13">{"".join(groups)}</g></svg>\n'
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(record()))
