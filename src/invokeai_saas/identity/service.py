"""Who is asking: sign-up, log-in, sessions, and the person behind a token."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import structlog

from invokeai_saas.db.session import AuthSessionDb, Database
from invokeai_saas.errors import Conflict, InvalidInput, Unauthenticated, Unavailable
from invokeai_saas.identity import notices, passwords, repository
from invokeai_saas.identity.catchingup import CatchingUp
from invokeai_saas.identity.credentials import Address, Credentials, LocalCredentials, Proven
from invokeai_saas.identity.following import follow
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.insisting import insisting
from invokeai_saas.identity.keys.service import BEGINNING, ApiKeys
from invokeai_saas.identity.schemas import LoginRequest, ProfileUpdate, SignUpRequest, Trial
from invokeai_saas.identity.tables import User
from invokeai_saas.identity.tokens import Claims, LocalIssuer, TokenUse
from invokeai_saas.languages import DEFAULT, Language
from invokeai_saas.mail import service as mail
from invokeai_saas.settings import Settings

# How long a process may go on trusting a session it has looked up: a revocation elsewhere takes this long.
_TRUST_SECONDS = 5.0
_TRUST_SIZE = 20_000
_AWAY_SECONDS = 60.0  # a session that was alive is believed so much longer while it cannot be looked up
# Two tabs of one browser may send the same refresh secret at once; the second is served this long after the first.
_SWAP_GRACE = timedelta(seconds=30)
_NOTICE_SECONDS = 2.0  # that telling the sockets of ended sessions may take

log = structlog.get_logger(__name__)

SessionsEnded = Callable[[Collection[UUID]], Awaitable[None]]


@dataclass(frozen=True)
class Person:
    """An authenticated caller. `user_id` is the tenant of everything they do.

    Parameters:
        session_id: of the log-in, or of the API key: what can be ended.
        role: `user` for whoever comes with a key, since staff act in pages.
        by_key: whether a program of theirs asks, with a key.
    """

    user_id: UUID
    sub: str
    session_id: UUID
    role: str
    by_key: bool = False


@dataclass(frozen=True)
class OpenedSession:
    """A log-in: the page gets `token`, the browser keeps `refresh` in a cookie that scripts cannot read."""

    user: User
    token: str
    refresh: str
    media_token: str
    expires_in: int  # seconds


@dataclass(frozen=True)
class SignedUp:
    """A new person's first log-in. Parameters: trial: what has become of theirs."""

    opened: OpenedSession
    trial: Trial


@dataclass(frozen=True)
class RefreshedSession:
    """Fresh tokens. `refresh` is None where the browser has its next secret already."""

    sub: str
    token: str
    media_token: str
    refresh: str | None
    persistent: bool


def _digest(secret: str) -> bytes:
    """Refresh secrets are random and long, so a plain digest keeps them as safe as a slow hash would."""
    return sha256(secret.encode()).digest()


class Identity:
    """Identity over our own issuer, and whoever keeps passwords.

    Parameters:
        database: pools of the API process.
        issuer: signs and verifies tokens.
        settings: lifetimes, and the secret of what is kept as a hash.
        sessions_ended: told which sessions have just been ended, so that their sockets go too.
        credentials: keeps passwords; our own database where left out.
    """

    def __init__(
        self,
        database: Database,
        issuer: LocalIssuer,
        settings: Settings,
        sessions_ended: SessionsEnded,
        credentials: Credentials | None = None,
    ) -> None:
        self._credentials = credentials or LocalCredentials(database)
        self._database = database
        self._issuer = issuer
        self._verifier = issuer.verifier()
        self._settings = settings
        self._sessions_ended = sessions_ended
        self._hashes = KeyedHashes(settings.identity_secret.get_secret_value())
        self.keys = ApiKeys(database, self._hashes)
        self.catching_up = CatchingUp(database, settings, self._hashes, self._credentials, self.ended)
        self._trusted: dict[str, tuple[float, Person]] = {}

    async def sign_up(
        self, request: SignUpRequest, user_agent: str | None, language: Language = DEFAULT
    ) -> SignedUp:
        """Adds a person, starts their trial and sends a link to confirm the address.

        The trial waits for the confirmation where the settings demand that. An address that has had one under another
        spelling gets an account without.

        Parameters:
            language: of their mails, where the request names none.

        Raises:
            InvalidInput: weak password.
            Conflict: the address has an account already (code `email_taken`).
        """
        passwords.check_strength(request.password)
        name = (request.display_name or request.email.partition("@")[0])[:100]
        new = await self._credentials.register(request.email, request.password, name)
        async with self._database.authenticate() as db:
            user_id, trial = await self._add(
                db, request.email, name, new.sub, request.language or language, verified=False
            )
            if new.password_hash is not None:
                await repository.set_password(db, user_id, new.password_hash)
            if not self._credentials.sends_mail:
                await mail.enqueue(db, "verify_email", "sign-up", user_id=user_id)
        await self._database.wrote(user_id)
        return SignedUp(await self._open(user_id, user_agent, persistent=True), trial)

    async def _add(
        self, db: AuthSessionDb, email: str, name: str, sub: str, language: str, *, verified: bool
    ) -> tuple[UUID, Trial]:
        """A new row for a person, and their trial unless that waits. Raises Conflict when the address is taken."""
        user_id = await repository.insert_user(db, email, name, sub, language)
        if user_id is None:
            raise Conflict("There is an account with this address. Log in instead.", code="email_taken")
        if self._settings.verified_email_required and not verified:
            return user_id, "waits"
        begun = await repository.start_trial(db, user_id, self._hashes.address(email))
        return user_id, "begun" if begun else "none"

    async def log_in(self, request: LoginRequest, user_agent: str | None) -> OpenedSession:
        """Opens a session for whose password it is; who signed up elsewhere is added at their first log-in.

        Raises:
            Unauthenticated: with one answer for a wrong address and a wrong password.
            Conflict: somebody else has the address of who comes for the first time (code `email_taken`).
        """
        proven = await self._credentials.prove(request.email, request.password)
        if proven is None or not (proven.user is None or proven.user.is_active):
            raise Unauthenticated("Incorrect email or password.", code="wrong_credentials")
        return await self.enter(proven, user_agent, persistent=request.remember_me)

    async def enter(
        self, proven: Proven, user_agent: str | None, *, persistent: bool, language: Language = DEFAULT
    ) -> OpenedSession:
        """Opens a session for somebody who has been proven; an address that they changed elsewhere is taken over.

        Parameters:
            persistent: whether the browser is to remember it when it is closed.
            language: of the mails of who comes for the first time.

        Raises:
            Conflict: somebody else has the address of who comes for the first time (code `email_taken`).
        """
        if proven.user is None:
            user_id = await self._add_proven(proven, language)
        else:
            user_id = proven.user.id
            address = Address(proven.email, proven.verified)
            await follow(self._database, self._settings, self._hashes, proven.user, address)
        return await self._open(user_id, user_agent, persistent=persistent)

    async def _add_proven(self, proven: Proven, language: Language) -> UUID:
        async with self._database.authenticate() as db:
            user_id, _ = await self._add(
                db, proven.email, proven.name[:100], proven.sub, language, verified=proven.verified
            )
            if proven.verified:
                await repository.mark_verified(db, user_id)
                facts = await repository.trial_facts(db, user_id)
                await mail.enqueue(db, "welcome", "once", facts, user_id=user_id)
        await self._database.wrote(user_id)
        log.info("first_log_in", tenant=str(user_id))
        return user_id

    async def _open(self, user_id: UUID, user_agent: str | None, *, persistent: bool) -> OpenedSession:
        refresh = secrets.token_urlsafe(32)
        expires = datetime.now(UTC) + timedelta(days=self._settings.session_days)
        async with self._database.authenticate() as db:
            agent = user_agent[:255] if user_agent else None
            session_id = await repository.open_session(
                db, user_id, _digest(refresh), expires, persistent=persistent, user_agent=agent
            )
            user = await repository.get_user(db, user_id)
        if user is None:
            raise Unauthenticated
        return OpenedSession(
            user=user,
            token=self.issue(user.cognito_sub, user.id, session_id),
            refresh=refresh,
            media_token=self.issue(user.cognito_sub, user.id, session_id, "media"),
            expires_in=self._settings.access_token_seconds,
        )

    def issue(self, sub: str, user_id: UUID, session_id: UUID, use: TokenUse = "access") -> str:
        """A fresh token for a session."""
        lifetime = self._settings.access_token_seconds
        return self._issuer.issue(sub, str(session_id), str(user_id), lifetime, use)

    async def authenticate(self, token: str, use: TokenUse = "access") -> tuple[Person, Claims | None]:
        """The person behind a token whose session is alive, or behind an API key, which has no claims.

        Raises:
            Unauthenticated: bad or expired token, revoked session or key, inactive person.
            NotInPlan: a key, and the plan has none.
        """
        if use == "access" and token.startswith(BEGINNING):
            key = await self.keys.holder(token)
            return Person(key.user_id, key.sub, key.id, "user", by_key=True), None
        claims = self._verifier.verify(token, use)
        trusted = self._trusted.get(claims.session)
        if trusted and trusted[0] > time.monotonic() and trusted[1].sub == claims.sub:
            return trusted[1], claims
        try:
            async with self._database.authenticate() as db:
                user = await repository.live_session(db, UUID(claims.session), claims.sub)
        except Unavailable:
            # While the writer changes nobody can be logged out either: who was in a moment ago goes on reading.
            if trusted and trusted[0] + _AWAY_SECONDS > time.monotonic() and trusted[1].sub == claims.sub:
                return trusted[1], claims
            raise
        if user is None:
            self._trusted.pop(claims.session, None)
            raise Unauthenticated("Your session has ended. Please log in again.", code="session_ended")
        person = Person(user.id, user.cognito_sub, UUID(claims.session), user.role)
        if len(self._trusted) >= _TRUST_SIZE:
            self._trusted.clear()
        self._trusted[claims.session] = (time.monotonic() + _TRUST_SECONDS, person)
        return person, claims

    async def alive(self, session_ids: Collection[UUID]) -> set[UUID]:
        """Those of the sessions and keys that have not ended: neither revoked nor expired, their person active."""
        async with self._database.authenticate() as db:
            sessions = await repository.live_sessions(db, session_ids)
        others = set(session_ids) - sessions
        return sessions | await self.keys.alive(others) if others else sessions

    async def refresh(self, secret: str) -> RefreshedSession:
        """Fresh tokens for a refresh secret, which is swapped for its successor.

        The secret before the last swap still gets tokens for half a minute, and no successor. Later it can only
        be a copy in other hands: the session ends, whoever of the two came first.

        Raises:
            Unauthenticated: no live session has this secret (code `session_ended`).
        """
        following = secrets.token_urlsafe(32)
        stolen: list[UUID] = []
        async with self._database.authenticate() as db:
            session = await repository.rotate_session(db, _digest(secret), _digest(following))
            if session is None:
                before = await repository.session_before_swap(db, _digest(secret), _SWAP_GRACE)
                if before is not None and before[1]:
                    session, following = before[0], ""
                elif before is not None:
                    stolen = await repository.revoke_session(db, before[0].id)
        if stolen:
            log.warning("refresh_secret_reused", session=str(stolen[0]))
            await self.ended(stolen)
        if session is None:
            raise Unauthenticated("Your session has ended. Please log in again.", code="session_ended")
        return RefreshedSession(
            sub=session.sub,
            token=self.issue(session.sub, session.user_id, session.id),
            media_token=self.issue(session.sub, session.user_id, session.id, "media"),
            refresh=following or None,
            persistent=session.persistent,
        )

    async def log_out(self, token: str | None, refresh: str | None) -> None:
        """Ends the session of an access token, and that of a refresh secret: either may have expired or be missing.

        Tokens of an ended session stop working here at once, elsewhere within seconds; its sockets are closed.
        """
        session_id = None
        if token:
            with suppress(Unauthenticated):
                session_id = UUID(self._verifier.verify(token).session)
        ended: list[UUID] = []
        async with self._database.authenticate() as db:
            if session_id:
                ended += await repository.revoke_session(db, session_id)
            if refresh:
                ended += await repository.revoke_session_of_secret(db, _digest(refresh))
        await self.ended(ended)

    async def ended(self, session_ids: Collection[UUID]) -> None:
        """Forgets sessions and keys that have just been ended, and closes their sockets."""
        self.keys.forget(session_ids)
        for session_id in session_ids:
            self._trusted.pop(str(session_id), None)
        if not session_ids:
            return
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self._sessions_ended(session_ids)
        except Exception as error:
            # They have ended all the same; every process looks after its sockets by itself from time to time.
            log.warning("sockets_not_told", error=repr(error))

    async def check_password(self, person: Person, password: str) -> None:
        """Raises InvalidInput unless it is the caller's: for what a stolen log-in alone must not do."""
        if not await self._credentials.fits(await self.me(person), password):
            raise InvalidInput(("password",), "The password is not right.")

    async def me(self, person: Person) -> User:
        async with self._database.authenticate() as db:
            user = await repository.get_user(db, person.user_id)
        if user is None:
            raise Unauthenticated
        return user

    async def update_profile(self, person: Person, change: ProfileUpdate) -> User:
        """Changes name or password; a new password ends the person's other sessions and is told by mail.

        Raises:
            InvalidInput: the current password is wrong or missing, or the new one is weak.
        """
        new_hash = None
        if change.new_password is not None:
            passwords.check_strength(change.new_password)
            user, current = await self.me(person), change.current_password or ""
            if not current or not await self._credentials.fits(user, current):
                raise InvalidInput(("current_password",), "The current password is not right.")
            new_hash = await self._credentials.change(user, current, change.new_password)

        async def write() -> list[UUID]:
            ended: list[UUID] = []
            async with self._database.authenticate() as db:
                if change.display_name:
                    await repository.set_name(db, person.user_id, change.display_name)
                if new_hash is not None:
                    await repository.set_password(db, person.user_id, new_hash)
                if change.new_password is not None:
                    ended = await repository.revoke_other_sessions(db, person.user_id, person.session_id)
                    await notices.password_changed(db, person.user_id)
            return ended

        await self.ended(await insisting(write))
        return await self.me(person)
