"""The pool's own pages, where people log in at Cognito itself: the addresses that lead there, and what a code brings.

RFC 6749 (code), RFC 7636 (PKCE, S256), OpenID Connect Core 1.0 (nonce). The client is public: a verifier that never
leaves us is what makes a code worthless in other hands.
https://docs.aws.amazon.com/cognito/ (Managed login endpoints reference)
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import structlog

from invokeai_saas.errors import SetupError, Unauthenticated, Unavailable
from invokeai_saas.identity.cognito.pool import Tokens
from invokeai_saas.languages import Language
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

CALLBACK, LEFT = "/login/callback", "/login"  # the client's registered addresses, below PUBLIC_URL
_SCOPE = "openid email"
_SECONDS = 10.0  # that the exchange of a code may take, and connecting half of it
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class HostedPages:
    """The pages of the settings' pool.

    Raises:
        SetupError: COGNITO_HOSTED_URL is no https address without a path; http will do for one of this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = _checked(settings.cognito_hosted_url)
        self._client_id = settings.cognito_client_id
        self._callback = settings.public_url.rstrip("/") + CALLBACK
        self._left = settings.public_url.rstrip("/") + LEFT
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(_SECONDS, connect=_SECONDS / 2))

    def entrance(self, state: str, nonce: str, verifier: str, language: Language) -> str:
        """Where a log-in begins. Parameters: verifier: of which the address tells the digest only."""
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._callback,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "lang": language,
        }
        return f"{self._url}/oauth2/authorize?{urlencode(asked)}"

    @property
    def exit(self) -> str:
        """Where the log-in at Cognito ends, which then leads back to our log-in page."""
        return f"{self._url}/logout?{urlencode({'client_id': self._client_id, 'logout_uri': self._left})}"

    async def redeem(self, code: str, verifier: str) -> Tokens:
        """Exchanges a code. It is good once, so this is never tried again.

        Raises:
            Unauthenticated: the code is used, too old, or of another log-in (code `log_in_stale`).
            Unavailable: Cognito cannot be reached, or does not know us.
        """
        sent = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        try:
            answer = await self._http.post(f"{self._url}/oauth2/token", data=sent)
            body: Any = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("hosted_away", error=type(error).__name__)
            raise _away() from error
        said = body if isinstance(body, dict) else {}
        if answer.status_code == 200 and isinstance(said.get("access_token"), str) and "id_token" in said:
            return Tokens(said["access_token"], str(said["id_token"]))
        if answer.status_code == 400 and said.get("error") == "invalid_grant":
            raise Unauthenticated("This log-in is too old, or was used. Begin again.", code="log_in_stale")
        log.error("hosted_refused", status=answer.status_code, error=str(said.get("error", ""))[:100])
        raise _away()

    async def close(self) -> None:
        await self._http.aclose()


def _checked(url: str) -> str:
    """The pool's domain without a slash at its end. Raises SetupError: see HostedPages."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (safe and parts.hostname) or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SetupError(
            f"COGNITO_HOSTED_URL is {url!r}.",
            "Make it the user pool's domain: https:// and a name, nothing else.",
        )
    return url.rstrip("/")


def _away() -> Unavailable:
    return Unavailable("The log-in page's answer cannot be checked right now. Please try again.")
