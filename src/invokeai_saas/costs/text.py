"""Tables of plain text, which are also tables of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def usd(amount: Decimal | None, places: int = 2) -> str:
    """Dollars; empty where there is none."""
    return "" if amount is None else f"{amount:,.{places}f}"


def percent(share: Decimal | None, places: int = 0) -> str:
    """A share as per cent; empty where there is none."""
    return "" if share is None else f"{share * 100:,.{places}f}%"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table. Parameters: numbers: the columns that stand to the right."""
    lines = [list(headers), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]

    def text(line: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return "| " + " | ".join(cells) + " |"

    rule = (
        "-" * (width + 1) + ":" if column in numbers else "-" * (width + 2)
        for column, width in enumerate(widths)
    )
    return "\n".join([text(lines[0]), "|" + "|".join(rule) + "|", *map(text, lines[1:])])
