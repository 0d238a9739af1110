"""Stripe's published types, read at run time from the classes and typed dictionaries of the `stripe` library."""

from __future__ import annotations

import builtins
import sys
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints

import stripe
from stripe import ListObject, StripeObject
from stripe._object_classes import get_object_class
from stripe._request_options import RequestOptions

Obj = dict[str, Any]


class _Names(dict[str, Any]):
    """Names that the library's modules import for type checkers alone. What is not found is anything."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._globals = vars(sys.modules[module])

    def __missing__(self, name: str) -> Any:
        if name in self._globals or hasattr(builtins, name):
            raise KeyError(name)
        return getattr(stripe, name, Any)


def _resolved(annotations: dict[str, Any], module: str) -> dict[str, Any]:
    holder = type("Holder", (), {"__annotations__": annotations, "__module__": module})
    return get_type_hints(holder, vars(sys.modules[module]), _Names(module))


@cache
def fields(shape: type) -> dict[str, Any]:
    """The attributes of one of the library's objects, with their types."""
    stated = {
        name: hint
        for name, hint in vars(shape).get("__annotations__", {}).items()
        if not name.startswith("_") and get_origin(hint) is not ClassVar and hint is not ClassVar
    }
    return _resolved(stated, shape.__module__)


@cache
def parameters(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The parameters of one of the library's typed dictionaries with their types, and which of them must be given."""
    options = RequestOptions.__annotations__
    stated = {n: hint for n, hint in shape.__annotations__.items() if n not in options}
    return _resolved(stated, shape.__module__), frozenset(shape.__required_keys__)


def is_optional(hint: Any) -> bool:
    """Whether a type has None among its members."""
    return type(None) in members(hint)


def members(hint: Any) -> tuple[Any, ...]:
    """A union's types; any other type by itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def class_of(name: str) -> type | None:
    """The library's class of objects that call themselves so, e.g. checkout.session."""
    found = get_object_class("V1", name)
    return None if found is StripeObject else found


def _list_of(inner: Any) -> Any:
    return list[inner]  # a type made at run time


def described_by(hint: Any, value: Obj) -> Any:
    """The class or list that describes an object, out of a type that may be a union; None where nothing does."""
    named = class_of(str(value.get("object", "")))
    for part in members(hint):
        origin = get_origin(part)
        if origin is ListObject:
            return part
        if isinstance(part, type) and issubclass(part, StripeObject) and (named is None or part is named):
            return part
    return named


def complete(value: Any, hint: Any = Any) -> Any:
    """An answer with everything that its type has: what may be null and is not said is null.

    Members whose names begin with an underscore are our own notes and are left out.
    """
    if isinstance(value, list):
        inner = get_args(hint)[0] if get_args(hint) else Any
        for part in members(hint):
            if get_origin(part) is list:
                inner = get_args(part)[0]
        return [complete(entry, inner) for entry in value]
    if not isinstance(value, dict):
        return value
    known = {name: part for name, part in value.items() if not name.startswith("_")}
    if known.get("deleted") is True:
        return known  # Stripe says no more of what is gone
    shape = described_by(hint, value)
    if shape is None or get_origin(shape) is ListObject or value.get("object") == "list":
        inner = get_args(shape)[0] if shape is not None and get_args(shape) else Any
        return {n: complete(p, _list_of(inner) if n == "data" else Any) for n, p in known.items()}
    for name, part in fields(shape).items():
        if name in known:
            known[name] = complete(known[name], part)
        elif is_optional(part) and name != "deleted":
            known[name] = None
    return known
