"""Password hashing of the embedded issuer (argon2id, RFC 9106's low-memory parameters of the library)."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from invokeai_saas.errors import InvalidInput

MIN_LENGTH = 8
MAX_LENGTH = 256

_hasher = PasswordHasher()
# Verified against when there is no such person, so that the answer takes as long either way.
_NOBODY = _hasher.hash("nobody has this password")


def check_strength(password: str) -> None:
    """Refuses passwords that are too short, or so long that hashing them is an attack.

    The rule is InvokeAI's own (length, upper and lower case, a digit), since its page tells people so.

    Raises:
        InvalidInput: names the field `password`.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInput(("password",), f"Choose a password of {MIN_LENGTH} to {MAX_LENGTH} characters.")
    wanted = {
        "an upper-case letter": str.isupper,
        "a lower-case letter": str.islower,
        "a digit": str.isdigit,
    }
    missing = [what for what, test in wanted.items() if not any(test(c) for c in password)]
    if missing:
        raise InvalidInput(("password",), f"Add {' and '.join(missing)} to the password.")


def hash_at_once(password: str) -> str:
    """As `hash_password`, for commands, which have no event loop to keep free."""
    return _hasher.hash(password)


async def hash_password(password: str) -> str:
    """The argon2id hash of a password; takes tens of milliseconds of CPU, off the event loop."""
    return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits; `stored` is None when there is no such person."""

    def verify() -> bool:
        try:
            _hasher.verify(stored or _NOBODY, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return stored is not None

    return await asyncio.to_thread(verify)
