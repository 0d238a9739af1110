"""Commands that look at a deployment from outside. Each imports what it needs when it runs."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def e2e(
    url: Annotated[str, typer.Option(envvar="E2E_URL", help="Where people reach it: https://host.")],
    email: Annotated[str, typer.Option(envvar="E2E_EMAIL", help="An account of the test's own.")] = "",
    password: Annotated[
        str,
        typer.Option(envvar="E2E_PASSWORD", help="Better in the environment than here.", show_default=False),
    ] = "",
    model: Annotated[str | None, typer.Option(help="Name of a Stable Diffusion 1 model.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="To wait for the picture.")] = 600.0,
) -> None:
    """Makes one picture over the public API of any deployment and checks what it cost; 1 where something is wrong."""
    import asyncio
    import sys
    from dataclasses import asdict

    from invokeai_saas.endtoend import Visit, run

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    report = asyncio.run(run(Visit(url.rstrip("/"), email, password, model, seconds), say))
    sys.stdout.write(json.dumps(asdict(report)) + "\n")


def restored(
    host: Annotated[str | None, typer.Option(help="Of the restored database, instead of the URL's.")] = None,
    age: Annotated[float, typer.Option(min=0, help="Seconds that its newest row may be old.")] = 3600.0,
) -> None:
    """Looks at a database that was restored from a backup, as DATABASE_OWNER_URL's role; 1 where it is not whole."""
    import sys
    from datetime import timedelta

    import psycopg

    from invokeai_saas.db.restored import look_at
    from invokeai_saas.errors import SetupError
    from invokeai_saas.settings import get_settings

    url = get_settings().database_owner_url.get_secret_value()
    if not url:
        raise SetupError("DATABASE_OWNER_URL is not set.", "Set it to the URL of the role invokeai_owner.")
    try:
        look = look_at(url, timedelta(seconds=age), host)
    except psycopg.OperationalError as error:
        raise SetupError(f"The restored database does not answer: {error}", "See its events.") from error
    found = {"revision": look.revision, "rows": look.rows, "newest_seconds": look.age.total_seconds()}
    sys.stdout.write(json.dumps(found) + "\n")
