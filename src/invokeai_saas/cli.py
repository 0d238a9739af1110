"""The `invokeai-saas` command. Each subcommand imports what it needs when it runs: the engine's environment has
no API libraries, and the API's has no torch."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from invokeai_saas import delivery
from invokeai_saas.awssecrets import watch_secrets
from invokeai_saas.billing.stripe.commands import app as payments
from invokeai_saas.catalog.commands import app as models
from invokeai_saas.costs.commands import costs
from invokeai_saas.errors import SetupError
from invokeai_saas.identity.staff.commands import app as staff
from invokeai_saas.mail.commands import app as mail
from invokeai_saas.organisations.commands import app as organisations
from invokeai_saas.privacy.commands import app as privacy
from invokeai_saas.settings import Settings, get_settings
from invokeai_saas.terminal import err, out, say
from invokeai_saas.worker import commands as worker_commands

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
admin = typer.Typer(no_args_is_help=True, help="What operators do.")
page = typer.Typer(no_args_is_help=True, help="InvokeAI's web page.")
nodes = typer.Typer(no_args_is_help=True, help="InvokeAI's node schemas.")
library = typer.Typer(no_args_is_help=True, help="Workflows, style presets and prompts that InvokeAI ships.")
app.command("workers")(worker_commands.workers)
app.command("e2e")(delivery.e2e)
admin.command("restored")(delivery.restored)
app.add_typer(admin, name="admin")
for group, name in (
    (models, "models"),
    (organisations, "organisations"),
    (payments, "payments"),
    (mail, "mail"),
    (staff, "staff"),
    (privacy, "privacy"),
):
    admin.add_typer(group, name=name)
app.add_typer(page, name="page")
app.add_typer(nodes, name="nodes")
app.add_typer(library, name="library")
app.add_typer(costs, name="costs")


@app.command()
def up(
    workers: Annotated[int, typer.Option(min=0, max=16, help="Worker processes.")] = 1,
    engine: Annotated[str | None, typer.Option(help="invokeai or mock; WORKER_ENGINE otherwise.")] = None,
) -> None:
    """Starts the whole service on this machine, until Ctrl-C."""
    from invokeai_saas.local import LocalService, running_service

    settings = _with_engine(get_settings(), engine)
    service = LocalService(settings, workers=workers)
    with running_service(service, say):
        out.print(
            f"\n[bold green]Ready:[/] open {settings.public_url} (sign up at {settings.public_url}/signup)"
        )
        out.print("Press Ctrl-C to stop.\n", highlight=False)
        # TERM ends the service like Ctrl-C does. The handler only raises: stopping takes locks.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            failed = service.wait()
        except KeyboardInterrupt:
            failed = None
        say("Stopping")
    if failed:
        raise SetupError(failed, f"See {settings.data_dir / 'logs'}, and `invokeai-saas doctor`.")


def _with_engine(settings: Settings, engine: str | None) -> Settings:
    if engine is None:
        return settings
    if engine not in ("invokeai", "mock"):
        raise SetupError(f"There is no engine {engine!r}.", "Choose invokeai or mock.")
    return settings.model_copy(update={"worker_engine": engine})


@app.command()
def api() -> None:
    """Runs one API process."""
    from invokeai_saas.api import create_app
    from invokeai_saas.db.logins import only_renewed
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.services import check_settings
    from invokeai_saas.serving import serve

    settings = get_settings()
    check_settings(settings)  # here rather than in uvicorn's hands, which would show a traceback
    configure_logs(settings.log_level, process="api")
    watch_secrets(only_renewed)
    serve(create_app(settings), settings)


@app.command()
def worker(engine: Annotated[str | None, typer.Option(help="invokeai or mock.")] = None) -> None:
    """Runs one GPU worker process."""
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.worker.loop import Worker

    settings = _with_engine(get_settings(), engine)
    configure_logs(settings.log_level, process="worker")
    watch_secrets()
    if settings.worker_engine == "mock":
        from invokeai_saas.worker.mock import MockEngine

        Worker(
            settings, MockEngine(settings.mock_step_seconds, node_seconds=settings.mock_node_seconds)
        ).run()
    else:
        from invokeai_saas.worker.engine.engine import InvokeAIEngine

        with tempfile.TemporaryDirectory(prefix="invokeai-saas-worker-") as scratch:
            Worker(settings, InvokeAIEngine(Path(scratch))).run()


@app.command()
def scheduler() -> None:
    """Runs the periodic work."""
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.scheduler.loop import Scheduler

    settings = get_settings()
    configure_logs(settings.log_level, process="scheduler")
    watch_secrets()
    Scheduler(settings).run()


@app.command(hidden=True)
def stripe(
    folder: Annotated[Path, typer.Option(help="Where it keeps what it knows.")],
    port: Annotated[int, typer.Option(help="On loopback.")],
    webhook: Annotated[str, typer.Option(help="Where our API hears of what happens.")],
) -> None:
    """Runs the local Stripe, for development. STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET are its own."""
    from invokeai_saas.embedded.stripe.process import serve_local_stripe

    serve_local_stripe(get_settings(), folder, port, webhook)


@app.command()
def migrate(revision: str = "head") -> None:
    """Brings the database up to date, as the owner role (DATABASE_OWNER_URL)."""
    from invokeai_saas.db.migrate import upgrade

    url = get_settings().database_owner_url.get_secret_value()
    if not url:
        raise SetupError("DATABASE_OWNER_URL is not set.", "Set it to the URL of the role invokeai_owner.")
    upgrade(url, revision)
    say(f"The database is at {revision}")


@app.command()
def demo(
    prompt: Annotated[str, typer.Option(envvar="PROMPT", help="What to draw.")] = "a red heart",
    output: Annotated[Path, typer.Option(envvar="OUT", help="Where to write the PNG.")] = Path(
        "out/demo.png"
    ),
    engine: Annotated[str | None, typer.Option(help="invokeai or mock.")] = None,
) -> None:
    """Starts everything, signs a person up, makes one picture over the public API, and stops everything."""
    from invokeai_saas.demo import run_demo

    run_demo(_with_engine(get_settings(), engine), prompt, output, out)


@app.command()
def doctor() -> None:
    """Says what is wrong on this machine and what to do about it."""
    from rich.table import Table

    from invokeai_saas.doctor import examine

    table = Table(show_header=True, header_style="bold")
    for column in ("", "check", "finding", "what to do"):
        table.add_column(column, overflow="fold")
    findings = examine(get_settings())
    marks = {True: "[green]ok[/]", False: "[red]!![/]", None: "[yellow]--[/]"}
    for finding in findings:
        table.add_row(marks[finding.ok], finding.name, finding.detail, "" if finding.ok else finding.remedy)
    out.print(table)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


@admin.command("roles")
def create_roles(
    admin_url: Annotated[
        str, typer.Option(envvar="DATABASE_ADMIN_URL", help="libpq URL of a role that may.")
    ],
) -> None:
    """Creates the database's roles with the passwords that the DATABASE_*_URL variables name."""
    from sqlalchemy import make_url

    from invokeai_saas.db.roles import RolePasswords, ensure_roles

    settings = get_settings()
    urls = (
        settings.database_owner_url,
        settings.database_url,
        settings.database_auth_url,
        settings.database_worker_url,
        settings.database_billing_url,
        settings.database_staff_url,
    )
    given = [make_url(url.get_secret_value()).password if url.get_secret_value() else None for url in urls]
    if any(password is None for password in given):
        raise SetupError(
            "A role's password is not known.",
            "Set DATABASE_OWNER_URL, DATABASE_URL, DATABASE_AUTH_URL, DATABASE_WORKER_URL, DATABASE_BILLING_URL and"
            " DATABASE_STAFF_URL, each with its password.",
        )
    ensure_roles(admin_url, RolePasswords(*map(str, given)))
    say("The roles are there; `invokeai-saas migrate` brings the tables")


@page.command("install")
def install_page(source: Path) -> None:
    """Takes InvokeAI's page out of its wheel, or out of an installed package's folder."""
    from invokeai_saas.portal import install

    target = get_settings().page_dir
    if source.is_dir():
        install.install_page_from_folder(source, target)
    else:
        install.install_page(source, target)
    say(f"InvokeAI's page is installed in {target}")


@nodes.command("export")
def export_nodes(target: Path) -> None:
    """Writes InvokeAI's node schemas for the API. Runs in the engine's environment."""
    from invokeai_saas.worker.engine.schemas import export_node_schemas

    export_node_schemas(target)
    say(f"Node schemas written to {target}")


@library.command("export")
def export_library(folder: Path) -> None:
    """Writes what InvokeAI ships for everybody, for the API. Runs in the engine's environment."""
    from invokeai_saas.worker.engine.shipped import export_shipped

    say(f"{export_shipped(folder)} workflows, presets and prompts written to {folder}")


@library.command("publish")
def publish_library() -> None:
    """Puts their pictures into the bucket, where they are not there yet. `up` does it by itself."""
    import asyncio

    from invokeai_saas.storage.objects import open_object_store
    from invokeai_saas.studio.shipped import Shipped, publish_pictures

    settings = get_settings()
    put = asyncio.run(publish_pictures(Shipped(settings.library_dir), open_object_store(settings)))
    say(f"{put} pictures put into the bucket")


def main() -> None:
    """Runs the command; an expected error is a message and a remedy, not a traceback."""
    try:
        code = app(standalone_mode=False)  # which returns the code of a typer.Exit, rather than raising it
        if isinstance(code, int) and code:
            sys.exit(code)
    except SetupError as error:
        err.print(f"[bold red]Error:[/] {error}\n[bold]What to do:[/] {error.remedy}", highlight=False)
        sys.exit(1)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        import click

        if isinstance(error, click.ClickException):
            error.show()
            sys.exit(error.exit_code)
        raise
