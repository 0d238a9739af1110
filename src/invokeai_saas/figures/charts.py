"""Bars for a page without scripts: geometry that a template draws as SVG, with words for who does not see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 600, 120  # units of the drawing, which is stretched to its place
_GAP = 0.25  # of a bar's room


@dataclass(frozen=True)
class Bar:
    """Where it stands, in units of the drawing, and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: str


@dataclass(frozen=True)
class Chart:
    """A row of bars. `highest` and the ends are written beside it: text within would be stretched too."""

    title: str
    bars: tuple[Bar, ...]
    highest: str
    said: str  # to who hears the page

    @property
    def first(self) -> str:
        return self.bars[0].label if self.bars else ""

    @property
    def last(self) -> str:
        return self.bars[-1].label if self.bars else ""


def bars(
    title: str,
    values: Sequence[tuple[str, Decimal | int]],
    written: Callable[[Decimal | int], str] = "{:,}".format,
) -> Chart:
    """A chart of values that are not below nought.

    Parameters:
        values: label and value of each bar, from left to right.
        written: how a value is written.
    """
    top = max((value for _, value in values), default=0)
    room = WIDTH / max(1, len(values))
    drawn = tuple(
        _bar(place, room, label, value, top, written(value)) for place, (label, value) in enumerate(values)
    )
    return Chart(title, drawn, written(top), _said(title, drawn, values))


def _bar(place: int, room: float, label: str, value: Decimal | int, top: Decimal | int, text: str) -> Bar:
    height = float(value / top) * HEIGHT if top > 0 else 0.0
    return Bar(
        x=round(room * (place + _GAP / 2), 2),
        y=round(HEIGHT - height, 2),
        width=round(room * (1 - _GAP), 2),
        height=round(height, 2),
        label=label,
        value=text,
    )


def _said(title: str, drawn: Sequence[Bar], values: Sequence[tuple[str, Decimal | int]]) -> str:
    if not drawn:
        return f"{title}: nothing yet."
    highest = max(range(len(values)), key=lambda place: values[place][1])
    return (
        f"{title}, {drawn[0].label} to {drawn[-1].label}: last {drawn[-1].value},"
        f" highest {drawn[highest].value} ({drawn[highest].label})."
    )
