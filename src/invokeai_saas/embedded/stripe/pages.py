"""The pages that customers see: Checkout, the portal, an invoice. Plain, and plainly not the real Stripe."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader


def _money(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %B %Y")


_environment = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True)
_environment.globals.update(money=_money, day=_day)


def render(name: str, **values: Any) -> str:
    """A page as HTML."""
    return _environment.get_template(f"{name}.html").render(**values)
