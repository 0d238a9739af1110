"""Builds what a test needs, straight in the database, as the owner role."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from tests.servers import TestDatabase

Row = dict[str, Any]


def insert(connection: psycopg.Connection[Any], table: str, **values: Any) -> None:
    """Inserts one row."""
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
    marks = psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * len(values))
    statement = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})")
    prepared = [Jsonb(v) if isinstance(v, dict) else v for v in values.values()]
    connection.execute(statement.format(psycopg.sql.Identifier(table), columns, marks), prepared)


def make_person(
    database: TestDatabase, email: str | None = None, *, plan: str = "trial", credits: int = 500
) -> UUID:
    """A person on a plan with one grant of credits, valid for 30 days. Parameters: credits: 0 for none."""
    user_id = uuid4()
    now = datetime.now(UTC)
    until = now + timedelta(days=30)
    with psycopg.connect(database.owner) as connection:
        insert(
            connection, "users", id=user_id, email=email or f"{user_id}@example.com", name="Somebody",
            cognito_sub=str(uuid4()),
        )  # fmt: skip
        connection.execute(
            "INSERT INTO user_subscriptions"
            " (user_id, plan_id, status, current_period_start, current_period_end)"
            " SELECT %s, id, 'active', %s, %s FROM subscription_plans WHERE slug = %s",
            [user_id, now - timedelta(seconds=1), until, plan],
        )
        insert(connection, "credit_accounts", user_id=user_id)
        if credits:
            connection.execute(
                "SELECT credits_grant(%s, %s, 'trial', %s, %s, 'trial', 'Trial credits')",
                [user_id, credits, now - timedelta(seconds=1), until],
            )
    return user_id


def make_image(connection: psycopg.Connection[Any], user_id: UUID, **changes: Any) -> str:
    """A picture's row (no file); answers its name."""
    name = changes.pop("image_name", f"{uuid4()}.png")
    values: Row = {
        "image_name": name,
        "user_id": user_id,
        "image_origin": "internal",
        "image_category": "general",
        "width": 256,
        "height": 256,
        "s3_key": f"users/{user_id}/images/{name}",
        "s3_thumbnail_key": f"users/{user_id}/images/thumbnails/{name[:-4]}.webp",
        "file_size_bytes": 1000,
    }
    insert(connection, "images", **(values | changes))
    return str(name)


def make_video(connection: psycopg.Connection[Any], user_id: UUID, **changes: Any) -> str:
    """A video's row (no file); answers its name."""
    facts: Row = {
        "image_name": f"{uuid4()}.mp4",
        "kind": "video",
        "duration_seconds": 2.5,
        "fps": 24.0,
    }
    return make_image(connection, user_id, **(facts | changes))


def make_download(connection: psycopg.Connection[Any], user_id: UUID, **changes: Any) -> str:
    """A download's row (no file), ready; answers its name."""
    download, now = uuid4(), datetime.now(UTC)
    values: Row = {
        "id": download,
        "user_id": user_id,
        "item_name": f"{download}.zip",
        "state": "ready",
        "s3_key": f"users/{user_id}/downloads/{download}.zip",
        "file_size_bytes": 22,
        "alive_until": now,
        "expires_at": now + timedelta(hours=1),
    }
    values |= changes
    insert(connection, "bulk_downloads", **values)
    return str(values["item_name"])


def make_export(connection: psycopg.Connection[Any], user_id: UUID) -> str:
    """The row of a person's export, ready (no file), of the day before yesterday; answers its id."""
    export, then = uuid4(), datetime.now(UTC) - timedelta(days=2)
    insert(
        connection, "privacy_exports", id=export, user_id=user_id, state="ready", file_size_bytes=22, alive_until=then,
        s3_key=f"users/{user_id}/exports/{export}.zip", created_at=then, finished_at=then,
        expires_at=then + timedelta(days=3),
    )  # fmt: skip
    return str(export)


def people(database: TestDatabase) -> tuple[UUID, UUID]:
    """The first two people by address."""
    with psycopg.connect(database.owner) as connection:
        first, second = connection.execute("SELECT id FROM users ORDER BY email LIMIT 2").fetchall()
    return first[0], second[0]


def fill_tables(connection: psycopg.Connection[Any], user_id: UUID) -> None:
    """A row of a person's in each table that has a tenant."""
    now = datetime.now(UTC)
    batch, job, board = uuid4(), secrets.randbelow(2**53), uuid4()
    reservation, movement = uuid4(), uuid4()
    credit = connection.execute("SELECT id FROM credits WHERE user_id = %s", [user_id]).fetchone()
    assert credit is not None
    mine: Row = {"user_id": user_id}
    invoice = f"in_{uuid4()}"
    insert(connection, "stripe_customers", **mine, customer_id=f"cus_{user_id}")
    insert(
        connection, "invoices", **mine, stripe_invoice_id=invoice, status="paid", description="d", amount=1,
        amount_paid=1, currency="usd", created_at=now,
    )  # fmt: skip
    insert(
        connection, "payments", **mine, kind="pack", stripe_invoice_id=invoice, amount=1, currency="usd",
        status="paid", description="d", created_at=now,
    )  # fmt: skip
    insert(connection, "account_lapses", **mine, since=now, delete_after=now)
    insert(
        connection, "audit_log", actor="staff@example.com", action="credits.give", person_id=user_id, kind="person",
        thing=str(user_id), reason="They asked for it",
    )  # fmt: skip
    insert(connection, "account_deletions", **mine, reason="asked", delete_at=now)
    make_export(connection, user_id)
    insert(connection, "local_credentials", **mine, password_hash="x")
    insert(connection, "auth_sessions", **mine, refresh_hash=secrets.token_bytes(32), expires_at=now)
    insert(
        connection, "api_keys", **mine, name="k", prefix="isk_abcd", digest=secrets.token_bytes(32),
    )  # fmt: skip
    insert(connection, "staff_credentials", **mine, password_hash="x", totp_secret="A" * 32)
    insert(
        connection, "staff_sessions", **mine, secret_hash=secrets.token_bytes(32), address="a", expires_at=now,
    )  # fmt: skip
    insert(connection, "tester_plan_grants", **mine, reason="r", credits=1, ends_at=now + timedelta(days=1))
    insert(connection, "mail_outbox", **mine, kind="welcome", key="once")
    insert(
        connection, "mail_links", **mine, purpose="verify_email", digest=secrets.token_bytes(32), email="a",
        expires_at=now,
    )  # fmt: skip
    name = make_image(connection, user_id)
    insert(connection, "boards", **mine, board_id=board, board_name="A board")
    insert(connection, "board_images", **mine, board_id=board, image_name=name)
    make_download(connection, user_id)
    insert(connection, "client_state", **mine, key="k", value="v")
    insert(
        connection, "workflow_library", **mine, name="w", description="", tags="", workflow="{}",
        workflow_bytes=2, has_return=False,
    )  # fmt: skip
    insert(connection, "workflow_opened", **mine, workflow_id="default_1")
    insert(connection, "style_presets", **mine, name="p", positive_prompt="", negative_prompt="")
    insert(connection, "system_prompts", **mine, name="s", content="c")
    organisation = uuid4()
    insert(connection, "organisations", **mine, id=organisation, name=str(organisation))
    insert(connection, "organisation_members", **mine, organisation_id=organisation, role="owner")
    insert(
        connection, "models", **mine, key=f"m-{user_id}", name="m", base="sd-1", type="main", format="diffusers",
        path=f"models/users/{user_id}/m", hash="h", file_size=1, record={"a": 1},
    )  # fmt: skip
    insert(
        connection, "models", **mine, key=f"n-{user_id}", name="n", base="sd-1", type="lora", format="lycoris",
        path=f"models/users/{user_id}/n", hash="h", file_size=1, record={"a": 1},
    )  # fmt: skip
    insert(connection, "model_relationships", **mine, model_key_1=f"m-{user_id}", model_key_2=f"n-{user_id}")
    insert(
        connection, "model_installs", **mine, id=job, source={"type": "url"}, source_text="u", model_key="k",
    )  # fmt: skip
    insert(connection, "job_batches", **mine, batch_id=batch, graph={"nodes": {}})
    insert(
        connection, "session_queue", **mine, item_id=job, batch_id=batch, session_id=uuid4(), tier="basic",
        estimate=5, name_key=b"k" * 32,
    )  # fmt: skip
    insert(
        connection,
        "job_attempts",
        **mine,
        item_id=job,
        number=1,
        worker_id="w",
        lane_charge=1,
        lease_until=now,
    )
    insert(connection, "queue_lanes", **mine, tier="basic")
    insert(connection, "credit_reservations", **mine, id=reservation, item_id=job, amount=5)
    insert(connection, "credit_holds", **mine, reservation_id=reservation, credit_id=credit[0], amount=5)
    insert(
        connection, "credit_transactions", **mine, id=movement, amount=-1, transaction_type="settlement",
        description="d", reference_id="r",
    )  # fmt: skip
    insert(connection, "credit_revocations", **mine, reference_id="r", description="d")
    insert(connection, "enqueue_keys", **mine, key="k", body_hash=b"h" * 32)
    insert(connection, "credit_allocations", **mine, transaction_id=movement, credit_id=credit[0], amount=-1)
    insert(
        connection, "usage_records", **mine, job_id=str(job), action_type="generate", model_used="m",
        gpu_tier="basic", steps=1, width=1, height=1, batch_size=1, compute_seconds=1, credits_consumed=1,
    )  # fmt: skip


def fill_every_tenant_table(database: TestDatabase) -> set[str]:
    """Two people with a row of each in every table that has a tenant; answers those tables.

    Raises AssertionError when a table with a tenant was added and is not filled here.
    """
    for email in ("ada@example.com", "bob@example.com"):
        user_id = make_person(database, email)
        with psycopg.connect(database.owner) as connection:
            fill_tables(connection, user_id)
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute(
            "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
            " AND (a.attname ~ 'user_id$' OR c.relname = 'users')"
        ).fetchall()
        tables = {row[0] for row in rows}
        for table in tables:
            count = connection.execute(
                psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
            ).fetchone()
            assert count is not None, table
            assert count[0] >= 2, f"{table} is not filled"
    return tables
