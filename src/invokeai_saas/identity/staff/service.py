"""How staff log in: a password of their own and a code of their authenticator (RFC 6238), for a session of its own.

Nothing of it is good for customers' API, and nothing of a customer's is good here. A code is good once: the database
keeps the time step of the last one and takes none that is not later.
"""

from __future__ import annotations

import hmac
import secrets
import time
from hashlib import sha256

import pyotp
import structlog

from invokeai_saas.db.session import Acting, Database, StaffDb
from invokeai_saas.errors import Forbidden, Unauthenticated
from invokeai_saas.identity import passwords
from invokeai_saas.identity.staff import repository
from invokeai_saas.identity.staff.repository import StaffPerson

STEP_SECONDS = 30
_DRIFT = 1  # steps before and after ours that a telephone's clock may be at
_WRONG = "The address, the password or the code is not right."
log = structlog.get_logger(__name__)


def digest(secret: str) -> bytes:
    """What the database knows a session by: the secret is random and long."""
    return sha256(secret.encode()).digest()


def form_token(secret: str) -> str:
    """What forms of a session carry: another site can neither read nor guess it."""
    return hmac.digest(secret.encode(), b"forms", "sha256").hex()


def check_form_token(secret: str, given: str) -> None:
    """Raises Forbidden: a form that was not ours, or of another session."""
    if not hmac.compare_digest(form_token(secret), given):
        raise Forbidden("This form is of another session. Go back, reload the page and try again.")


def step_of(totp_secret: str, code: str, now: float) -> int | None:
    """The time step that a code is of, one before and one after ours included; None when it is of none."""
    totp = pyotp.TOTP(totp_secret, interval=STEP_SECONDS)
    present = int(now) // STEP_SECONDS
    for step in (present, *(present + n for drift in range(1, _DRIFT + 1) for n in (-drift, drift))):
        if hmac.compare_digest(totp.at(step * STEP_SECONDS), code):
            return step
    return None


async def log_in(
    database: Database, email: str, password: str, code: str, address: str, request_id: str, agent: str | None
) -> str:
    """Opens a session; answers the secret that the browser keeps.

    Raises:
        Unauthenticated: one answer for everything that can be wrong.
        NotFound: there are no pages for staff here.
    """
    nobody = Acting(b"", request_id, address)
    async with database.act(nobody) as db:
        facts = await repository.login_facts(db, email.strip().lower())
    fits = await passwords.verify_password(facts.password_hash if facts else None, password)
    digits = code.replace(" ", "")
    step = step_of(facts.totp_secret, digits, time.time()) if facts and digits.isascii() else None
    secret = secrets.token_urlsafe(32)
    if facts is not None and fits and step is not None:
        async with database.act(nobody) as db:
            if await repository.open_session(db, facts.user_id, step, digest(secret), address, agent):
                return secret
    log.warning("staff_log_in_refused", address=address)
    raise Unauthenticated(_WRONG, code="wrong_credentials")


async def at_work(db: StaffDb, secret: str) -> StaffPerson:
    """Whose the session is that a transaction names.

    Raises:
        Unauthenticated: it has ended, or never was.
    """
    person = await repository.session(db, digest(secret))
    if person is None:
        raise Unauthenticated("Your session has ended. Please log in again.", code="session_ended")
    return person


async def end(db: StaffDb, secret: str) -> None:
    """Ends a session."""
    await repository.end_session(db, digest(secret))
