"""What we hold of a person: every table with a person in it, what an export has of it, and whether it goes with them.

This is the one list of it. A test holds it against the schema: whoever adds such a table declares it here. The order is
that of deletion: what refers to other rows comes before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ONCE = "says nothing that the others do not"


@dataclass(frozen=True)
class Held:
    """A table.

    Parameters:
        without: columns that no export has. Columns of bytes are left out anyway: they are digests and keys.
        unexported: why an export has nothing of the table; empty where it does.
        files: columns that name files, which an export has too.
        heavy: its rows may be megabytes long, so few are read at once.
        stays: its rows are bookings, which are kept and say nothing of their person but the id of the row in `users`
            that is nobody's any more.
        person: the column that names the person.
    """

    table: str
    without: Sequence[str] = ()
    unexported: str = ""
    files: Sequence[str] = ()
    heavy: bool = False
    stays: bool = False
    person: str = "user_id"


HELD = (
    Held("auth_sessions"),
    Held("api_keys"),
    Held("staff_sessions", unexported="our own staff's, who are no customers by them"),
    Held("staff_credentials", unexported="the hash of a password"),
    Held("mail_links", unexported="digests of links in mails"),
    Held("enqueue_keys", unexported=f"answers of the last day's requests; {_ONCE}"),
    Held("bulk_downloads"),
    Held("privacy_exports", unexported="archives like this one"),
    Held("job_attempts", without=("worker_id",)),
    Held("session_queue", heavy=True),
    Held("job_batches", heavy=True),
    Held("queue_lanes", unexported=f"the queue's own count of one's jobs; {_ONCE}"),
    Held("board_images"),
    Held("images", files=("s3_key",), heavy=True),
    Held("boards"),
    Held("gallery_state", unexported=f"sums over one's pictures; {_ONCE}"),
    Held("client_state", heavy=True),
    Held("workflow_library", files=("thumbnail_key",), heavy=True),
    Held("workflow_opened"),
    Held("style_presets", files=("image_key",)),
    Held("system_prompts"),
    Held("model_relationships"),
    # Not the weights: they are what was installed from the source that is named, and tens of gigabytes long.
    Held("model_installs", without=("access_token", "claim"), heavy=True),
    Held("models", files=("cover_key",), heavy=True),
    Held("organisation_members"),
    Held("organisations"),
    Held("account_lapses"),
    # Why staff gave or ended it is a note of theirs, which the audit log has as well.
    Held(
        "tester_plan_grants",
        without=("granted_by", "reason", "subscription_id", "revoked_by", "revoke_reason"),
    ),
    Held("user_subscriptions"),
    Held("mail_outbox"),
    Held("local_credentials", unexported="the hash of a password"),
    Held("stripe_customers"),  # after what Stripe told of them
    # The rest is not deleted with the others: a deletion's own row goes at its very end, the ledger's stay.
    Held("account_deletions", without=("claim", "report", "proof_id")),
    Held("credit_accounts", stays=True),
    Held("credits", stays=True),
    Held("credit_transactions", stays=True),
    Held("credit_allocations", stays=True),
    Held("credit_reservations", stays=True),
    Held("credit_holds", stays=True),
    Held("credit_revocations", stays=True),
    Held("usage_records", stays=True),
    Held("invoices", stays=True),
    Held("payments", stays=True),
    # What staff did about a person. Who they were and what they noted is theirs.
    Held(
        "audit_log",
        without=("actor_id", "actor", "reason", "request_id", "address"),
        stays=True,
        person="person_id",
    ),
)
_LAST = "account_deletions"
ERASED = tuple(held.table for held in HELD if not held.stays and held.table != _LAST)
KEPT = tuple(held.table for held in HELD if held.stays)
EXPORTED = (Held("users", person="id"), *(held for held in HELD if not held.unexported))
