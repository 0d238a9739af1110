"""What must be found again but not read: keys, and addresses that had a trial, as HMAC-SHA256 under a secret of ours.

A copy of the database alone tells neither: keys are random, but addresses could be guessed from plain digests.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

from invokeai_saas.errors import SetupError
from invokeai_saas.identity.addresses import folded

_SHORTEST = 32  # bytes: as long as the hash


class KeyedHashes:
    """Hashes, each kind of thing in a space of its own.

    Parameters:
        secret: the installation's, shared by all API processes. With another one no key fits any more, and every
            address may have a trial again.

    Raises:
        SetupError: the secret is missing or short.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        if len(self._secret) < _SHORTEST:
            raise SetupError(
                f"IDENTITY_SECRET has {len(self._secret)} bytes; it needs {_SHORTEST}.",
                "Set it to a random secret, the same one for all API processes, and keep it.",
            )

    def _hash(self, kind: str, text: str) -> bytes:
        return hmac.digest(self._secret, f"{kind}:{text}".encode(), "sha256")

    def key(self, key: str) -> bytes:
        """What an API key is found by."""
        return self._hash("api-key", key)

    def seal(self, text: str) -> str:
        """Six characters that only who has the secret can put behind a text: made-up keys cost no look-up."""
        return urlsafe_b64encode(self._hash("seal", text)[:6])[:6].decode()

    def derived(self, purpose: str, text: str) -> str:
        """43 characters of base64url that only who has the secret can make of a text, others for each purpose."""
        return urlsafe_b64encode(self._hash(purpose, text)).rstrip(b"=").decode()

    def address(self, email: str) -> bytes:
        """What all spellings of an address have in common."""
        return self._hash("trial", folded(email))
