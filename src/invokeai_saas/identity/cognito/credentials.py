"""Passwords in Cognito."""

from __future__ import annotations

from invokeai_saas.db.session import Database
from invokeai_saas.errors import Forbidden, InvalidInput, Unauthenticated
from invokeai_saas.identity import repository
from invokeai_saas.identity.cognito.pool import MORE_IS_ASKED, Tokens, UserPool
from invokeai_saas.identity.cognito.tokens import CognitoTokens
from invokeai_saas.identity.credentials import Address, Proven, Registered
from invokeai_saas.identity.tables import User


class CognitoCredentials:
    """Asks the user pool.

    Parameters:
        database: pools of the API process.
        pool: where passwords are.
        tokens: verifies what the pool says of a log-in.
    """

    sends_mail = True

    def __init__(self, database: Database, pool: UserPool, tokens: CognitoTokens) -> None:
        self._database = database
        self._pool = pool
        self._tokens = tokens

    async def register(self, email: str, password: str, name: str) -> Registered:
        return Registered(await self._pool.sign_up(email, password, name), None)

    async def prove(self, email: str, password: str) -> Proven | None:
        tokens = await self._pool.log_in(email, password)
        return await self.proven(tokens) if tokens else None

    async def proven(self, tokens: Tokens, nonce: str | None = None) -> Proven:
        """Whose tokens these are. Parameters: nonce: what the id token has to carry, if anything.

        Raises:
            Unauthenticated: a token is not good, or they are of two people.
            Unavailable: the pool's keys cannot be fetched.
        """
        claims = await self._tokens.verify(tokens.access)
        said = await self._tokens.identify(tokens.identity, nonce)
        if said.sub != claims.sub:
            raise Unauthenticated("These tokens are of two people.", code="token_invalid")
        async with self._database.authenticate() as db:
            user = await repository.find_by_sub(db, claims.sub)
        return Proven(user, claims.sub, said.email, said.name, said.verified)

    async def address(self, sub: str) -> Address | None:
        return await self._pool.address(sub)

    async def fits(self, user: User, password: str) -> bool:
        # By the name that never changes: their address in the pool may be another one by now.
        try:
            tokens = await self._pool.log_in(user.cognito_sub, password)
        except Unauthenticated as refused:
            if refused.code == MORE_IS_ASKED:
                return True
            raise _not_here(refused) from refused
        return tokens is not None and (await self._tokens.verify(tokens.access)).sub == user.cognito_sub

    async def change(self, user: User, old: str, new: str) -> str | None:
        try:
            tokens = await self._pool.log_in(user.cognito_sub, old)
        except Unauthenticated as refused:
            raise _not_here(refused) from refused
        if tokens is None:  # changed elsewhere in this very moment
            raise InvalidInput(("current_password",), "The current password is not right.")
        await self._pool.change_password(tokens.access, old, new)
        return None


def _not_here(refused: Unauthenticated) -> Forbidden:
    """For somebody who is logged in: pages take a 401 for the end of that."""
    return Forbidden(refused.message, code=refused.code)
