"""What a second plan would change, and whether that is what the list says, no more and no less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.rehearsal.known import Known, Pattern

_QUIET = (["no-op"], ["read"])
# Left out of addresses: all but bootstrap's parts are in it.
_ENVIRONMENT = "module.stack."


@dataclass(frozen=True)
class Change:
    """Of one resource.

    Args:
        action: by Terraform's words with a slash: create, update, delete/create.
        paths: attributes whose values differ, or will be known only afterwards; none where it is created anew.
    """

    action: str
    paths: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " ".join([self.action, *sorted(self.paths)])


def short(address: str) -> str:
    """An address as the list has it."""
    return address.removeprefix(_ENVIRONMENT)


def changes(plan: dict[str, Any]) -> dict[str, Change]:
    """What a plan (`terraform show -json`) would do, by resource.

    Paths are those of the values before and after, such as `rule[0].days`.
    """
    found = {}
    for resource in plan.get("resource_changes", []):
        change = resource["change"]
        if change["actions"] not in _QUIET:
            action = "/".join(change["actions"])
            paths = frozenset() if action in ("create", "delete") else frozenset(_differing(change))
            found[short(resource["address"])] = Change(action, paths)
    return found


def _differing(change: dict[str, Any]) -> Iterator[str]:
    yield from _walk("", change["before"], change["after"], change.get("after_unknown"))


def _walk(path: str, before: Any, after: Any, unknown: Any) -> Iterator[str]:
    if unknown is True:
        yield path
    elif isinstance(before, dict) and isinstance(after, dict):
        unknown = unknown if isinstance(unknown, dict) else {}
        for key in sorted(before.keys() | after.keys() | unknown.keys()):
            deeper = f"{path}.{key}" if path else key
            yield from _walk(deeper, before.get(key), after.get(key), unknown.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            deeper = unknown[i] if isinstance(unknown, list) and i < len(unknown) else None
            yield from _walk(f"{path}[{i}]", one, other, deeper)
    elif before != after:
        yield path


def unexpected(refused: dict[str, str], changed: dict[str, Change], known: Known) -> list[str]:
    """Where what was seen and the list differ, in either direction; nothing: they agree.

    Args:
        refused: errors by address, without the environment's name before it.
        changed: what the plan after it would do.
    """
    return [*_refusals(refused, known), *_changes(changed, known)]


def _fits(patterns: Iterable[Pattern], address: str) -> bool:
    return any(pattern.fits(address) for pattern in patterns)


def _refusals(refused: dict[str, str], known: Known) -> Iterator[str]:
    for address, said in sorted(refused.items()):
        if not any(_fits(one.resources, address) and one.says in said for one in known.refusals):
            yield f"refused, and not on the list: {address}: {said}"
    for one in known.refusals:
        for pattern in one.resources:
            if not any(pattern.fits(address) and one.says in said for address, said in refused.items()):
                yield f"on the list as refused with {one.says!r}, and was not: {pattern.text}"


def _expected(known: Known) -> Iterator[tuple[Pattern, Change]]:
    for refusal in known.refusals:
        yield from ((pattern, Change("create")) for pattern in (*refusal.resources, *refusal.holds_up))
    for one in known.differences:
        yield from ((pattern, Change(one.action, one.paths)) for pattern in one.resources)


def _changes(changed: dict[str, Change], known: Known) -> Iterator[str]:
    expected = list(_expected(known))
    for address, change in sorted(changed.items()):
        if not any(pattern.fits(address) and change == listed for pattern, listed in expected):
            yield f"would be changed again, and is not on the list: {address}: {change}"
    for pattern, listed in expected:
        if not any(pattern.fits(address) and change == listed for address, change in changed.items()):
            yield f"on the list, and would not be changed so: {pattern.text}: {listed}"
