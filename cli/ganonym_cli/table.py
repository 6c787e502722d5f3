"""Tables that cut nothing, however narrow the terminal: side by side where they fit, else one row below the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table as SideBySide
from rich.text import Text

_UNBOUNDED = 100_000
_INDENT, _GAP = 2, " " * 3
# A column of sentences is readable from this width on.
_SENTENCE = 20


class Table(SideBySide):
    """As rich's, of texts; but a table wider than the terminal is shown row by row, as "column value" pairs under the
    first cell, so that no name and no interval is shortened or broken.

    Columns called in `prose` hold sentences, which may break between words before that.

    >>> table = Table("class", "rate")
    >>> table.add_row("Ectrodactyly", "0.75 [0.41, 0.93]")
    >>> Console(width=24).print(table)
    Ectrodactyly
      rate 0.75 [0.41, 0.93]
    """

    def __init__(self, *headers: str, prose: Collection[str] = (), **options: Any) -> None:
        super().__init__(*headers, **options)
        self.prose = frozenset(prose)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        sentences = [column for column in self.columns if column.header in self.prose]
        for column in self.columns:
            column.no_wrap, column.overflow = column not in sentences, "fold"
        if self._fits(console, options, None) or (sentences and self._fits(console, options, _SENTENCE)):
            yield from super().__rich_console__(console, options)
            return
        self.box, self.pad_edge = None, False  # the lines between cells cost a dozen columns
        if self._fits(console, options, _SENTENCE if sentences else None):
            yield from super().__rich_console__(console, options)
        else:
            yield from self._row_by_row(options.max_width)

    def _fits(self, console: Console, options: ConsoleOptions, sentence: int | None) -> bool:
        """Whether all cells have room side by side, those of sentences in columns of at most so many letters."""
        sentences = [column for column in self.columns if column.header in self.prose]
        for column in sentences:
            column.max_width = sentence
        widest = self.__rich_measure__(console, options.update_width(_UNBOUNDED)).maximum
        for column in sentences:
            column.max_width = None
        return widest <= options.max_width

    def _row_by_row(self, width: int) -> Iterator[Text | Padding]:
        heads = [str(column.header) for column in self.columns]
        rows = [list(map(str, cells)) for cells in zip(*(column.cells for column in self.columns), strict=True)]
        pairs = [_pairs(heads[1:], cells[1:], width - _INDENT) for cells in rows]
        widths = _grid(pairs, width - _INDENT)
        if self.title:
            yield Text(str(self.title), style="italic")
        before = ""
        for cells, own in zip(rows, pairs, strict=True):
            if cells[0] not in ("", before):
                before = cells[0]
                yield Text(cells[0], style="bold", overflow="fold")
            for line in _in_grid(own, widths) if widths else _in_lines(own, width - _INDENT):
                yield Padding(Text(line, overflow="fold"), (0, 0, 0, _INDENT))
        if self.caption:
            yield Text(str(self.caption), style="dim italic")


def _pairs(heads: list[str], cells: list[str], width: int) -> list[str]:
    """A text for every cell that says something, with its column's name, which goes before a cell that is too long for
    both; lines of a cell one behind the other."""
    texts = []
    for head, cell in zip(heads, ("; ".join(cell.splitlines()) for cell in cells), strict=True):
        pair = f"{head} {cell}".strip()
        texts += [] if not cell else [pair] if len(pair) <= width else [head, cell]
    return texts


def _grid(rows: list[list[str]], width: int) -> list[int]:
    """Widths of as many pairs a line as fit into `width` in every row; none where two do not."""
    for count in range(max((len(row) for row in rows), default=1), 1, -1):
        widths = [max((len(pair) for row in rows for pair in row[place::count]), default=0) for place in range(count)]
        if sum(widths) + len(_GAP) * (count - 1) <= width:
            return widths
    return []


def _in_grid(pairs: list[str], widths: list[int]) -> Iterator[str]:
    for start in range(0, len(pairs), len(widths)):
        line = pairs[start : start + len(widths)]
        yield _GAP.join(pair.ljust(wide) for pair, wide in zip(line, widths, strict=False)).rstrip()


def _in_lines(pairs: list[str], width: int) -> Iterator[str]:
    """As many pairs a line as fit, one below the other where a name is long."""
    line = ""
    for pair in pairs:
        longer = f"{line}{_GAP}{pair}" if line else pair
        if line and len(longer) > width:
            yield line
            longer = pair
        line = longer
    if line:
        yield line
