"""Parts of InvokeAI that a shared worker leaves out, and that say so when a node reaches for them."""

from __future__ import annotations

from abc import update_abstractmethods
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

Service = TypeVar("Service")


class NotOnSharedWorker(RuntimeError):
    """A node used a part of InvokeAI that is not there."""

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} is not available here.")


class Absent:
    """Stands in a service's place. Any use of it fails the node."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> NoReturn:
        # InvokeAI starts and stops whatever has these two, and Python asks for dunders on its own.
        if name in ("start", "stop") or name.startswith("__"):
            raise AttributeError(name)
        raise NotOnSharedWorker(f"{self._service}.{name}")


def _refusing(qualified_name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise NotOnSharedWorker(qualified_name)

    return refuse


def refuses_the_rest(service: type[Service]) -> type[Service]:
    """Class decorator: the abstract methods that the class does not write raise NotOnSharedWorker."""
    missing: frozenset[str] = getattr(service, "__abstractmethods__", frozenset())
    for name in missing:
        refuse = _refusing(f"{service.__name__}.{name}")
        replacement = property(refuse) if isinstance(getattr(service, name), property) else refuse
        setattr(service, name, replacement)
    return update_abstractmethods(service)
