"""The schema: up, down, up again, and no drift from the tables in code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine

from invokeai_saas.db import migrate, roles
from invokeai_saas.db.metadata import all_tables
from invokeai_saas.db.migrations import versions
from invokeai_saas.embedded.servers import Addresses
from tests.servers import PASSWORDS, TestDatabase, copied_database

# Tables with a person in them that the api role cannot read at all.
NOT_THE_APIS = {"local_credentials", "mail_links", "staff_credentials", "staff_sessions"}


@pytest.fixture
def empty_database(migrated: Addresses) -> Iterator[TestDatabase]:
    with copied_database(migrated, "template1") as empty:
        roles.ensure_roles(empty.url(), PASSWORDS)
        yield empty


def _objects(database: TestDatabase) -> dict[str, int]:
    """How many relations, functions and policies the public schema has."""
    counts = {
        "relations": "SELECT count(*) FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relname !~ 'alembic'",
        "functions": "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "policies": "SELECT count(*) FROM pg_policies WHERE schemaname = 'public'",
    }
    with psycopg.connect(database.url()) as connection:
        return {what: connection.execute(query).fetchone()[0] for what, query in counts.items()}  # type: ignore[index]


def test_every_step_goes_up_and_down(empty_database: TestDatabase) -> None:
    steps = sorted(step.stem[:4] for step in Path(versions.__path__[0]).glob("0*.py"))
    seen = [_objects(empty_database)]
    for step in steps:
        migrate.upgrade(empty_database.owner, step)
        seen.append(_objects(empty_database))
    for before, step in zip(reversed(seen[:-1]), [*reversed(steps[:-1]), "base"], strict=True):
        migrate.downgrade(empty_database.owner, step)
        assert _objects(empty_database) == before, f"after the downgrade to {step}"
    migrate.upgrade(empty_database.owner)
    assert _objects(empty_database) == seen[-1]


def test_tables_in_code_and_in_the_database_agree(database: TestDatabase) -> None:
    engine = create_engine(database.url(roles.OWNER, "postgresql+psycopg"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, all_tables()) == []
    engine.dispose()


def test_every_table_with_a_tenant_has_its_policies(database: TestDatabase) -> None:
    """A new table with a person in it fails here until row-level security is forced on it, both clauses given."""
    tenant_tables = """
        SELECT DISTINCT c.relname, c.relrowsecurity, c.relforcerowsecurity
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT a.attisdropped
          AND (a.attname ~ 'user_id$' OR c.relname = 'users')
    """
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute(tenant_tables).fetchall()
        assert len(rows) >= 20
        for table, enabled, forced in rows:
            assert enabled and forced, f"{table} needs ENABLE and FORCE ROW LEVEL SECURITY"
            policies = connection.execute(
                "SELECT policyname, qual, with_check FROM pg_policies WHERE tablename = %s", [table]
            ).fetchall()
            assert policies, f"{table} has no policy"
            for name, using, check in policies:
                assert using and check, f"{table}.{name} needs USING and WITH CHECK"


@pytest.mark.parametrize("role", [roles.API, roles.WORKER, roles.AUTH, roles.BILLING, roles.STAFF])
def test_run_time_roles_own_nothing_and_cannot_bypass(database: TestDatabase, role: str) -> None:
    with psycopg.connect(database.url()) as connection:
        bypass = connection.execute(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [role]
        )
        assert bypass.fetchone() == (False,)
        owned = connection.execute(
            "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = %s",
            [role],
        )
        assert owned.fetchone() == (0,)


def test_public_may_call_no_function_of_ours(database: TestDatabase) -> None:
    with psycopg.connect(database.url()) as connection:
        open_to_all = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND (proacl IS NULL OR proacl::text ~ '[{,]=X')"
        ).fetchall()
    assert open_to_all == []


def test_definer_functions_pin_their_search_path(database: TestDatabase) -> None:
    with psycopg.connect(database.url()) as connection:
        loose = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
            " AND NOT coalesce(proconfig::text, '') LIKE '%search_path%'"
        ).fetchall()
    assert loose == []


def test_without_a_tenant_the_api_role_sees_no_row(database: TestDatabase) -> None:
    """Rows of two people in every tenant table; raw SQL without a tenant finds none of them."""
    from tests.factories import fill_every_tenant_table

    filled = fill_every_tenant_table(database)
    with psycopg.connect(database.url(roles.API), autocommit=True) as connection:
        for table in filled:
            try:
                found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
                assert found.fetchone() == (0,), table
            except psycopg.errors.InsufficientPrivilege:
                assert table in NOT_THE_APIS, f"the api role should read {table}"


def test_a_tenant_sees_only_their_own_rows(database: TestDatabase) -> None:
    from tests.factories import fill_every_tenant_table, people

    filled = fill_every_tenant_table(database)
    ada, _ = people(database)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada)])
        for table in filled - NOT_THE_APIS:
            column = "id" if table == "users" else "user_id"
            owners = connection.execute(
                sql.SQL("SELECT DISTINCT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
            ).fetchall()
            assert owners == [(ada,)], table
