"""Which pictures a list holds, and in which order: the conditions that every list of the gallery shares.

A selection is told apart from its values (`shape`), so that a statement is compiled once for all that differ in
values only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Date, Text, Uuid, any_, bindparam, cast, func, or_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from invokeai_saas.gallery.schemas import Category, Direction, Kind, Origin
from invokeai_saas.gallery.tables import Image

Uncategorised = Literal["none"]


class Shape(NamedTuple):
    """A selection less its values: what decides its statement's text."""

    kind: bool
    origin: bool
    categories: bool
    is_intermediate: bool | None
    board: Literal["any", "one", "none"]
    term: bool
    day: bool
    order_dir: Direction
    starred_first: bool


@dataclass(frozen=True)
class Wanted:
    """Which pictures (or videos, or both), and in which order; None leaves a property open."""

    kind: Kind | None = "image"
    origin: Origin | None = None
    categories: Sequence[Category] | None = None
    is_intermediate: bool | None = None
    board_id: UUID | Uncategorised | None = None
    order_dir: Direction = "DESC"
    starred_first: bool = True
    search_term: str | None = None
    created_date: date | None = None

    @property
    def shape(self) -> Shape:
        return Shape(
            kind=self.kind is not None,
            origin=self.origin is not None,
            categories=self.categories is not None,
            is_intermediate=self.is_intermediate,
            board="none" if self.board_id == "none" else "any" if self.board_id is None else "one",
            term=bool(self.search_term),
            day=self.created_date is not None,
            order_dir=self.order_dir,
            starred_first=self.starred_first,
        )

    def values(self) -> dict[str, Any]:
        """Values of the conditions' parameters, by name."""
        return {
            "kind": self.kind,
            "origin": self.origin,
            "categories": list(self.categories or ()),
            "board_id": self.board_id,
            "term": _like(self.search_term or ""),
            "day": self.created_date,
        }

    def conditions(self) -> list[ColumnElement[bool]]:
        """With the values in them."""
        return conditions(self.shape, self.values())


def _like(term: str) -> str:
    """A pattern that matches whatever holds the term as it stands."""
    for special in "\\%_":
        term = term.replace(special, f"\\{special}")
    return f"%{term}%"


def conditions(shape: Shape, values: Mapping[str, Any] | None = None) -> list[ColumnElement[bool]]:
    """The conditions of a selection.

    Parameters:
        values: of `Wanted.values`; without them the parameters are named so and wait for theirs.
    """

    def given(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]] = Text) -> BindParameter[Any]:
        return bindparam(name, type_=kind) if values is None else bindparam(name, values[name], type_=kind)

    found: list[ColumnElement[bool]] = []
    if shape.kind:
        found.append(Image.kind == given("kind"))
    if shape.origin:
        found.append(Image.image_origin == given("origin"))
    if shape.categories:
        found.append(Image.image_category == any_(given("categories", ARRAY(Text))))
    if shape.is_intermediate is not None:
        # Not a parameter: the gallery's indexes are partial, and a planner must see that they fit.
        found.append(Image.is_intermediate.is_(True) if shape.is_intermediate else ~Image.is_intermediate)
    if shape.board == "none":
        found.append(Image.board_id.is_(None))
    elif shape.board == "one":
        found.append(Image.board_id == given("board_id", Uuid))
    if shape.day:
        found.append(day_of_creation() == given("day", Date))
    if shape.term:
        found.append(_mentions(given("term")))
    return found


def order(shape: Shape) -> list[ColumnElement[Any]]:
    """The order of a selection; the name decides between pictures of one moment."""
    columns: list[Any] = [Image.created_at, Image.image_name]
    by_age = [column.desc() if shape.order_dir == "DESC" else column.asc() for column in columns]
    return [Image.starred.desc(), *by_age] if shape.starred_first else by_age


def day_of_creation() -> ColumnElement[date]:
    """The day that a picture was made on, in UTC."""
    return cast(func.timezone("UTC", Image.created_at), Date)


def _mentions(pattern: ColumnElement[str]) -> ColumnElement[bool]:
    """The pattern in the metadata's text or in the date and time (UTC), whatever the case."""
    moment = func.to_char(func.timezone("UTC", Image.created_at), "YYYY-MM-DD HH24:MI:SS.MS")
    return or_(
        cast(Image.image_metadata, Text).ilike(pattern, escape="\\"), moment.ilike(pattern, escape="\\")
    )
