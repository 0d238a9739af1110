"""What our log-in page says of a log-in on the identity provider's page that came to nothing."""

from __future__ import annotations

from collections.abc import Mapping

# Texts by the code of what went wrong; whatever is not here is told as `unavailable`.
PROBLEMS: Mapping[str, str] = {
    "log_in_stale": "hosted_stale",
    "token_invalid": "hosted_stale",
    "token_expired": "hosted_stale",
    "log_in_denied": "hosted_denied",
    "email_unconfirmed": "hosted_unconfirmed",
    "email_taken": "hosted_taken",
    "account_closed": "hosted_closed",
    "unavailable": "hosted_unavailable",
}
