"""The list of what we hold of a person, held against the schema."""

from __future__ import annotations

import psycopg

from invokeai_saas.db.metadata import all_tables
from invokeai_saas.privacy.declared import ERASED, EXPORTED, HELD, KEPT
from tests.servers import TestDatabase

# Parts of names of columns that no export may have.
SECRET = ("password", "secret", "token", "digest", "hash")
# A model's hash is of its file.
NOT_SECRET = {("models", "hash")}


def test_every_table_with_a_person_in_it_is_declared(database: TestDatabase) -> None:
    """Whoever adds a table says in privacy/declared.py whether an export has it, and whether it goes."""
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute(
            "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname ~ '(user|person)_id$'"
        ).fetchall()
    declared = [held.table for held in HELD]
    assert len(declared) == len(set(declared))
    assert {row[0] for row in rows} == set(declared)


def test_what_stays_and_what_goes_is_what_the_schema_allows(database: TestDatabase) -> None:
    with psycopg.connect(database.owner) as connection:
        for held in HELD:
            row = connection.execute("SELECT _privacy_goes(%s::regclass)", [held.table]).fetchone()
            assert row == (not held.stays,), held.table
    assert set(ERASED) | set(KEPT) == {held.table for held in HELD} - {"account_deletions"}


def test_no_export_has_a_secret() -> None:
    tables = all_tables().tables
    for held in EXPORTED:
        for column in tables[held.table].columns:
            sounds = any(part in column.name for part in SECRET)
            if sounds and (held.table, column.name) not in NOT_SECRET:
                kind = type(column.type).__name__
                assert column.name in held.without or kind == "LargeBinary", f"{held.table}.{column.name}"
        assert set(held.without) | set(held.files) <= set(tables[held.table].columns.keys()), held.table


def test_what_is_not_exported_says_why() -> None:
    for held in HELD:
        assert held.unexported or held in EXPORTED
        assert not (held.unexported and (held.without or held.files)), held.table
