"""What operators do with organisations: `invokeai-saas admin organisations`.

It works as the owner role: no person may write who is of which organisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from invokeai_saas.audit.operating import note
from invokeai_saas.errors import SetupError


@dataclass(frozen=True)
class ListedOrganisation:
    """Parameters: owner, members: addresses, the members without the owner; shares: whether the plan allows it now."""

    name: str
    owner: str
    members: list[str]
    shares: bool


def create(owner_url: str, name: str, owner: str) -> None:
    """Makes an organisation with its owner as the first member.

    Parameters:
        owner_url: libpq URL of the owner role.
        owner: the address of a person.

    Raises SetupError when the name is taken, nobody has the address, or they are of an organisation.
    """
    name = name.strip()
    if not 0 < len(name) <= 100 or "\0" in name:
        raise SetupError("An organisation's name has 1 to 100 characters.", "Choose another name.")
    with psycopg.connect(owner_url) as connection:
        person = _person(connection, owner)
        _require_free(connection, person, owner)
        row = connection.execute(
            "INSERT INTO organisations (user_id, name) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [person, name],
        ).fetchone()
        if row is None:
            raise SetupError(f"There is an organisation named {name!r} already.", "Choose another name.")
        _join(connection, person, row[0], "owner")
        note(connection, "organisation.create", "organisation", name, person=person)


def add(owner_url: str, name: str, email: str) -> None:
    """Makes a person a member. Raises SetupError as `create` does, and for an unknown organisation."""
    with psycopg.connect(owner_url) as connection:
        organisation, _ = _organisation(connection, name)
        person = _person(connection, email)
        _require_free(connection, person, email)
        _join(connection, person, organisation, "member")
        note(connection, "organisation.add", "organisation", name.strip(), person=person)


def remove(owner_url: str, name: str, email: str) -> None:
    """Ends a membership, and with it all access, at once. Raises SetupError for the owner and for strangers."""
    with psycopg.connect(owner_url) as connection:
        organisation, owner = _organisation(connection, name)
        person = _person(connection, email)
        if person == owner:
            raise SetupError(f"{email} owns {name!r}.", "Delete the organisation instead.")
        gone = connection.execute(
            "DELETE FROM organisation_members WHERE user_id = %s AND organisation_id = %s RETURNING user_id",
            [person, organisation],
        ).fetchone()
        if gone is None:
            raise SetupError(f"{email} is not of {name!r}.", "`admin organisations list` says who is.")
        note(connection, "organisation.remove", "organisation", name.strip(), person=person)


def hand_over(owner_url: str, name: str, email: str) -> None:
    """Makes a member the owner; who was it stays a member. Raises SetupError for who is not of the organisation."""
    with psycopg.connect(owner_url) as connection:
        organisation, _ = _organisation(connection, name)
        person = _person(connection, email)
        member = connection.execute(
            "UPDATE organisation_members SET role = CASE WHEN user_id = %s THEN 'owner' ELSE 'member' END"
            " WHERE organisation_id = %s AND EXISTS (SELECT FROM organisation_members m WHERE m.user_id = %s"
            " AND m.organisation_id = %s) RETURNING user_id",
            [person, organisation, person, organisation],
        ).fetchone()
        if member is None:
            raise SetupError(f"{email} is not of {name!r}.", "Add them first: `admin organisations add`.")
        connection.execute("UPDATE organisations SET user_id = %s WHERE id = %s", [person, organisation])


def delete(owner_url: str, name: str) -> None:
    """Ends an organisation: its people keep what is theirs and share nothing. Raises SetupError when it is unknown."""
    with psycopg.connect(owner_url) as connection:
        organisation, owner = _organisation(connection, name)
        connection.execute("DELETE FROM organisations WHERE id = %s", [organisation])
        note(connection, "organisation.delete", "organisation", name.strip(), person=owner)


def listed(owner_url: str) -> list[ListedOrganisation]:
    """All organisations by name."""
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(
            "SELECT o.name, u.email, array(SELECT p.email FROM organisation_members m JOIN users p ON p.id = m.user_id"
            " WHERE m.organisation_id = o.id AND m.user_id <> o.user_id ORDER BY p.email), _organisation_shares(o.id)"
            " FROM organisations o JOIN users u ON u.id = o.user_id ORDER BY lower(o.name), o.id"
        ).fetchall()
    return [ListedOrganisation(*row) for row in rows]


def _organisation(connection: psycopg.Connection[Any], name: str) -> tuple[UUID, UUID]:
    """(id, owner), kept until the transaction ends."""
    row = connection.execute(
        "SELECT id, user_id FROM organisations WHERE name = %s FOR UPDATE", [name.strip()]
    ).fetchone()
    if row is None:
        raise SetupError(f"There is no organisation {name!r}.", "`admin organisations list` shows all.")
    return row[0], row[1]


def _person(connection: psycopg.Connection[Any], email: str) -> UUID:
    row = connection.execute("SELECT id FROM users WHERE email = %s", [email.strip().lower()]).fetchone()
    if row is None:
        raise SetupError(f"Nobody has the address {email!r}.", "The person signs up first.")
    found: UUID = row[0]
    return found


def _require_free(connection: psycopg.Connection[Any], person: UUID, email: str) -> None:
    row = connection.execute(
        "SELECT o.name FROM organisation_members m JOIN organisations o ON o.id = m.organisation_id"
        " WHERE m.user_id = %s",
        [person],
    ).fetchone()
    if row is not None:
        raise SetupError(f"{email} is of the organisation {row[0]!r}.", "Remove them there first.")


def _join(connection: psycopg.Connection[Any], person: UUID, organisation: UUID, role: str) -> None:
    connection.execute(
        "INSERT INTO organisation_members (user_id, organisation_id, role) VALUES (%s, %s, %s)",
        [person, organisation, role],
    )
