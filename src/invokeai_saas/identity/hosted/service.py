"""Logging in on the identity provider's own page: the rules from leaving us to being back.

The browser keeps one random secret for ten minutes. State, nonce and PKCE verifier are made of it with a secret of
ours: what lies in the browser is of no use by itself, and we keep nothing.
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import NamedTuple

import structlog

from invokeai_saas.errors import Unauthenticated, Unavailable
from invokeai_saas.identity.cognito.credentials import CognitoCredentials
from invokeai_saas.identity.cognito.hosted import HostedPages
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.service import Identity, OpenedSession
from invokeai_saas.languages import Language

log = structlog.get_logger(__name__)

SECONDS = 600  # from leaving us to being back
_LONGEST_CODE = 2048


class Begun(NamedTuple):
    """A log-in that begins. Parameters: url: where it goes on; kept: what the browser keeps meanwhile."""

    url: str
    kept: str


class Answer(NamedTuple):
    """What the provider's page sends back with the browser: all of it may be made up."""

    state: str = ""
    code: str = ""
    error: str = ""


class HostedLogIn:
    """Parameters:
    identity: opens sessions.
    pages: the provider's.
    credentials: finds people by the provider's tokens.
    hashes: makes what only we can make.
    """

    def __init__(
        self, identity: Identity, pages: HostedPages, credentials: CognitoCredentials, hashes: KeyedHashes
    ) -> None:
        self._identity = identity
        self._pages = pages
        self._credentials = credentials
        self._hashes = hashes

    @property
    def exit(self) -> str:
        """Where the provider's own log-in ends."""
        return self._pages.exit

    def begin(self, language: Language) -> Begun:
        """Parameters: language: of the provider's page, where it speaks it."""
        kept = f"{secrets.token_urlsafe(32)}.{int(time.time()) + SECONDS}"
        state, nonce, verifier = (self._of(kept, what) for what in ("state", "nonce", "verifier"))
        return Begun(self._pages.entrance(state, nonce, verifier, language), kept)

    async def finish(
        self, kept: str | None, answer: Answer, user_agent: str | None, language: Language
    ) -> OpenedSession:
        """Opens a session for whom the provider names; who comes for the first time is added.

        Parameters:
            kept: what the browser brings back of `begin`.
            language: of the mails of somebody who is new.

        Raises:
            Unauthenticated: not begun in this browser, too long ago, or used (code `log_in_stale`); the person left
                the page (`log_in_denied`); their address is not confirmed (`email_unconfirmed`); their account is
                closed (`account_closed`); a token is not good (`token_invalid`, `token_expired`).
            Conflict: somebody else has the address of who comes for the first time (code `email_taken`).
            Unavailable: the provider cannot be reached, or refuses us.
        """
        begun = self._begun(kept, answer.state)
        if answer.error == "access_denied":
            raise Unauthenticated("You left the log-in page. Begin again.", code="log_in_denied")
        if answer.error:
            log.error("hosted_error", error=answer.error[:100])
            raise Unavailable("The log-in page is out of order right now. Please try again.")
        if not 0 < len(answer.code) <= _LONGEST_CODE:
            raise _stale()
        tokens = await self._pages.redeem(answer.code, self._of(begun, "verifier"))
        proven = await self._credentials.proven(tokens, self._of(begun, "nonce"))
        if proven.user is None and not proven.verified:
            raise Unauthenticated("Confirm your address first.", code="email_unconfirmed")
        if proven.user is not None and not proven.user.is_active:
            raise Unauthenticated("This account is closed.", code="account_closed")
        return await self._identity.enter(proven, user_agent, persistent=False, language=language)

    def _begun(self, kept: str | None, state: str) -> str:
        """What this browser began with, if the state is of that and not too old. Its end is under the state's hash."""
        if not kept or not hmac.compare_digest(self._of(kept, "state").encode(), state.encode()):
            raise _stale()
        if int(kept.rpartition(".")[2]) < time.time():
            raise _stale()
        return kept

    def _of(self, kept: str, what: str) -> str:
        return self._hashes.derived(f"hosted-{what}", kept)


def _stale() -> Unauthenticated:
    return Unauthenticated("This log-in is too old, or was begun in another browser.", code="log_in_stale")
