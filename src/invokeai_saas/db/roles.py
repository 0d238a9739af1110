"""The database roles, and the one place that creates them.

| role | may |
|---|---|
| invokeai_owner | own the schema; migrations; nothing at run time |
| invokeai_api | a person's own rows, by row-level security; the queue through definer functions |
| invokeai_auth | find a person before the tenant is known; sign-up and sessions |
| invokeai_billing | payments as Stripe says, and deletion of people, through definer functions; no worker has it |
| invokeai_staff | read what pages for staff show, while a session of staff is alive; act through definer functions |
| invokeai_worker | claim, heartbeat and finish jobs through definer functions; read the pictures of the job in hand |

None of them can bypass row-level security, and only the owner owns anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

OWNER = "invokeai_owner"
API = "invokeai_api"
AUTH = "invokeai_auth"
WORKER = "invokeai_worker"
BILLING = "invokeai_billing"
STAFF = "invokeai_staff"


@dataclass(frozen=True)
class RolePasswords:
    """One password per log-in role."""

    owner: str
    api: str
    auth: str
    worker: str
    billing: str
    staff: str

    def items(self) -> list[tuple[str, str]]:
        """Role names with their passwords."""
        return [
            (OWNER, self.owner),
            (API, self.api),
            (AUTH, self.auth),
            (WORKER, self.worker),
            (BILLING, self.billing),
            (STAFF, self.staff),
        ]


def ensure_roles(admin_url: str, passwords: RolePasswords) -> None:
    """Creates the roles or renews their passwords, and gives the database to the owner.

    Parameters:
        admin_url: libpq URL of a role that may create roles, on the service's database.
    """
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for role, password in passwords.items():
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL(
                    "{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD {}"
                ).format(verb, sql.Identifier(role), sql.Literal(password))
            )
        database = sql.Identifier(connection.info.dbname)
        owner = sql.Identifier(OWNER)
        # Membership lets an administrator that is not a superuser (as on Aurora) hand the schema over.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        connection.execute(sql.SQL("GRANT CONNECT, CREATE ON DATABASE {} TO {}").format(database, owner))
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
