"""Stripe's error envelope: https://docs.stripe.com/api/errors."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An answer that is an error.

    Parameters:
        message: for the developer who reads it.
        status: of HTTP.
        kept: whether what the request did so far stays, as an attempt to charge a card does.
        facts: more members of the error, e.g. code, param, decline_code.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        kept: bool = False,
        **facts: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.kept = status, kept
        code = facts.get("code")
        if isinstance(code, str):
            facts["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        self.body = {"error": {"message": message, "type": kind, **facts}}


def missing(what: str, name: str, param: str = "id") -> Refused:
    """There is no such object."""
    return Refused(f"No such {what}: '{name}'", status=404, code="resource_missing", param=param)


def not_served(param: str) -> Refused:
    """A parameter that Stripe has and this server does not act on."""
    return Refused(f"The local Stripe does not act on the parameter {param}.", param=param)
