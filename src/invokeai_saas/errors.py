"""Every error that leaves this service, in one tree.

    ServiceError
    ├── BadRequest             400  where InvokeAI's page expects this status
    ├── Unauthenticated        401  no token, a bad one, or an expired one
    ├── InsufficientCredits    402  needed and available stand beside the code
    ├── CardDeclined           402  the bank's word, with a code of its own
    ├── NotInPlan              403  the feature, and the plans that have it
    ├── Forbidden              403  the role does not allow it
    ├── NotFound               404  missing, or another tenant's: the two look the same
    ├── Conflict               409
    ├── PayloadTooLarge        413
    ├── UnsupportedMediaType   415
    ├── InvalidInput           422  names the field
    ├── RateLimited            429  with Retry-After
    ├── NotServed              501  part of InvokeAI's contract that is not built yet
    ├── Unavailable            503  a backing service is away, with Retry-After
    └── StorageQuotaExceeded   507

On the wire `detail` keeps the form that InvokeAI's page reads (a string; a list for 422), and our
stable `code` and the error's data stand beside it. A message tells the person what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """Base of all errors that a client may see.

    Parameters:
        message: one or two sentences for the person: what happened and what to do.
        code: overrides the class's stable machine-readable code where a finer one helps.
        data: JSON-ready facts that clients may use (for example `needed` and `available`).
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self, message: str, *, code: str | None = None, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, object] = dict(data or {})
        if code is not None:
            self.code = code

    def headers(self) -> dict[str, str]:
        """HTTP headers that go with this error."""
        return {}

    def body(self) -> dict[str, object]:
        """The JSON body of the HTTP answer."""
        return {"detail": self.message, "code": self.code, **self.data}


class BadRequest(ServiceError):
    """Bad input, where InvokeAI answers with this status rather than 422."""

    status = 400
    code = "bad_request"


class Unauthenticated(ServiceError):
    status = 401
    code = "unauthenticated"

    def __init__(self, message: str = "Please log in.", *, code: str | None = None) -> None:
        super().__init__(message, code=code)

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class InsufficientCredits(ServiceError):
    """Parameters: needed, available: credits (1 credit = 1 second of GPU time)."""

    status = 402
    code = "insufficient_credits"

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(
            f"This needs about {needed} credits and {available} are available."
            " Choose fewer or smaller pictures, wait for running ones to finish, or add credits.",
            data={"needed": needed, "available": available},
        )


class CardDeclined(ServiceError):
    status = 402
    code = "card_declined"


class NotInPlan(ServiceError):
    """Parameters: feature: the plan feature's name; plans: slugs of the plans that include it."""

    status = 403
    code = "not_in_plan"

    def __init__(self, feature: str, plans: list[str], message: str | None = None) -> None:
        offer = f" These plans do: {', '.join(plans)}." if plans else ""
        super().__init__(
            message or f"Your plan does not include {feature}.{offer}",
            data={"feature": feature, "plans": plans},
        )


class Forbidden(ServiceError):
    status = 403
    code = "forbidden"


class NotFound(ServiceError):
    status = 404
    code = "not_found"

    def __init__(self, what: str = "This") -> None:
        super().__init__(f"{what} was not found.")


class Conflict(ServiceError):
    status = 409
    code = "conflict"


class PayloadTooLarge(ServiceError):
    status = 413
    code = "payload_too_large"


class UnsupportedMediaType(ServiceError):
    status = 415
    code = "unsupported_media_type"


class InvalidInput(ServiceError):
    """Bad input, refused at the border.

    Parameters:
        field: path of the offending field, outermost first, e.g. ("batch", "graph", "nodes", "n1").
        message: what is wrong with it and what would be right.
    """

    status = 422
    code = "invalid_input"

    def __init__(self, field: tuple[str | int, ...], message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field

    def body(self) -> dict[str, object]:
        # Strings only: InvokeAI's page drops the whole message over an index that is a number.
        entry = {"loc": ["body", *map(str, self.field)], "msg": self.message, "type": self.code}
        return {"detail": [entry], "code": self.code, **self.data}


class RateLimited(ServiceError):
    """Parameters: retry_after: seconds until the next try can succeed."""

    status = 429
    code = "rate_limited"

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        super().__init__(message or f"Too many requests. Try again in {retry_after} seconds.")
        self.retry_after = max(1, retry_after)

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class NotServed(ServiceError):
    status = 501
    code = "not_served"


class Unavailable(ServiceError):
    """Parameters: retry_after: seconds after which trying again is sensible."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class StorageQuotaExceeded(ServiceError):
    """Parameters: used, limit: bytes of the person's files, or of the one to come, and what there is for them."""

    status = 507
    code = "storage_quota_exceeded"

    def __init__(self, used: int, limit: int, message: str | None = None) -> None:
        super().__init__(
            message
            or f"Your storage is full: {used / 2**30:.1f} of {limit / 2**30:.0f} GB are used."
            " Delete pictures that you don't need, or choose a plan with more.",
            data={"used": used, "limit": limit},
        )


class SetupError(Exception):
    """Something on this machine keeps the service from starting.

    The command line prints the message and the remedy and exits; no traceback is shown.

    Parameters:
        message: what is wrong.
        remedy: what the operator should do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy
