"""The committed list of what moto refuses and answers otherwise, `known.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("known.toml")
DEGREES = ("whole", "part", "none")


@dataclass(frozen=True)
class Pattern:
    """A resource's address; `*` stands for anything, such as the key of an instance."""

    text: str

    @cached_property
    def _form(self) -> re.Pattern[str]:
        return re.compile(".*".join(map(re.escape, self.text.split("*"))))

    def fits(self, address: str) -> bool:
        return self._form.fullmatch(address) is not None


@dataclass(frozen=True)
class Refusal:
    """What moto does not make, and what is not made either since it needs it.

    Args:
        resources: that are asked for and refused.
        says: part of the error.
        holds_up: that need them.
    """

    resources: tuple[Pattern, ...]
    says: str
    why: str
    holds_up: tuple[Pattern, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What moto made and the plan after it would change.

    Args:
        action: by Terraform's words with a slash: update, delete/create.
        paths: attributes that it would change.
    """

    resources: tuple[Pattern, ...]
    action: str
    paths: frozenset[str]
    why: str


@dataclass(frozen=True)
class Kept:
    """What moto made and cannot delete."""

    resources: tuple[Pattern, ...]
    why: str


@dataclass(frozen=True)
class Known:
    """All of the list.

    Args:
        modules: each folder of modules: whether moto serves the whole of it, a part, or none.
    """

    modules: dict[str, str]
    refusals: tuple[Refusal, ...] = ()
    differences: tuple[Difference, ...] = ()
    kept: tuple[Kept, ...] = ()


def _patterns(texts: list[str]) -> tuple[Pattern, ...]:
    return tuple(Pattern(text) for text in texts)


def _refusal(given: dict[str, Any]) -> Refusal:
    return Refusal(
        _patterns(given["resources"]), given["says"], given["why"], _patterns(given.get("holds_up", []))
    )


def _difference(given: dict[str, Any]) -> Difference:
    return Difference(_patterns(given["resources"]), given["action"], frozenset(given["paths"]), given["why"])


def read(path: Path = LIST) -> Known:
    """Raises KeyError, TypeError: a line of the list is not as it should be."""
    given = tomllib.loads(path.read_text())
    return Known(
        given["modules"],
        tuple(_refusal(one) for one in given.get("refused", [])),
        tuple(_difference(one) for one in given.get("differs", [])),
        tuple(Kept(_patterns(one["resources"]), one["why"]) for one in given.get("kept", [])),
    )
