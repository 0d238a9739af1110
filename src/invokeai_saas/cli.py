"""The `invokeai-saas` command. Each subcommand imports what it needs when it runs: the engine's environment has
no API libraries, and the API's has no torch."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from invokeai_saas.errors import ServiceError, SetupError
from invokeai_saas.settings import Settings, get_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
admin = typer.Typer(no_args_is_help=True, help="What operators do.")
models = typer.Typer(no_args_is_help=True, help="Models on offer.")
page = typer.Typer(no_args_is_help=True, help="InvokeAI's web page.")
nodes = typer.Typer(no_args_is_help=True, help="InvokeAI's node schemas.")
library = typer.Typer(no_args_is_help=True, help="Workflows, style presets and prompts that InvokeAI ships.")
app.add_typer(admin, name="admin")
app.add_typer(page, name="page")
app.add_typer(nodes, name="nodes")
app.add_typer(library, name="library")
admin.add_typer(models, name="models")

out = Console()
err = Console(stderr=True)


def _say(text: str) -> None:
    out.print(f"[bold cyan]•[/] {text}", highlight=False)


@app.command()
def up(
    workers: Annotated[int, typer.Option(min=0, max=16, help="Worker processes.")] = 1,
    engine: Annotated[str | None, typer.Option(help="invokeai or mock; WORKER_ENGINE otherwise.")] = None,
) -> None:
    """Starts the whole service on this machine, until Ctrl-C."""
    from invokeai_saas.local import LocalService, running_service

    settings = _with_engine(get_settings(), engine)
    service = LocalService(settings, workers=workers)
    with running_service(service, _say):
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
        _say("Stopping")
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
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.services import check_settings
    from invokeai_saas.serving import serve

    settings = get_settings()
    check_settings(settings)  # here rather than in uvicorn's hands, which would show a traceback
    configure_logs(settings.log_level, process="api")
    serve(create_app(settings), settings)


@app.command()
def worker(engine: Annotated[str | None, typer.Option(help="invokeai or mock.")] = None) -> None:
    """Runs one GPU worker process."""
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.worker.loop import Worker

    settings = _with_engine(get_settings(), engine)
    configure_logs(settings.log_level, process="worker")
    if settings.worker_engine == "mock":
        from invokeai_saas.worker.mock import MockEngine

        Worker(settings, MockEngine(settings.mock_step_seconds)).run()
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
    Scheduler(settings).run()


@app.command()
def migrate(revision: str = "head") -> None:
    """Brings the database up to date, as the owner role (DATABASE_OWNER_URL)."""
    from invokeai_saas.db.migrate import upgrade

    url = get_settings().database_owner_url.get_secret_value()
    if not url:
        raise SetupError("DATABASE_OWNER_URL is not set.", "Set it to the URL of the role invokeai_owner.")
    upgrade(url, revision)
    _say(f"The database is at {revision}")


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
    )
    given = [make_url(url.get_secret_value()).password if url.get_secret_value() else None for url in urls]
    if any(password is None for password in given):
        raise SetupError(
            "A role's password is not known.",
            "Set DATABASE_OWNER_URL, DATABASE_URL, DATABASE_AUTH_URL and DATABASE_WORKER_URL, each with its password.",
        )
    ensure_roles(admin_url, RolePasswords(*map(str, given)))
    _say("The roles are there; `invokeai-saas migrate` brings the tables")


@models.command("scan")
def scan_models() -> None:
    """Registers the models below MODEL_DIR: diffusers folders, .safetensors and .gguf files."""
    from invokeai_saas.catalog.registration import mark_missing, register_models
    from invokeai_saas.local import owner_url, scan

    settings = get_settings()
    with out.status(f"Examining {settings.model_dir}"):
        records = scan(settings)
    for model in register_models(owner_url(settings), records):
        _say(f"{model.path}: {model.key}")
    for path in mark_missing(owner_url(settings), [record["path"] for record in records]):
        _say(f"{path}: its files are gone")
    _say(f"{len(records)} models registered")


@models.command("probe", hidden=True)
def probe_models(folder: Path) -> None:
    """Prints a JSON line for each model below a folder. Runs in the engine's environment."""
    import json

    from invokeai_saas.worker.engine.probe import RefusedModel, probe_model, scan_folder

    for found in scan_folder(folder):
        if isinstance(found, RefusedModel):
            err.print(f"left out {found.path.relative_to(folder)}: {found.reason}", highlight=False)
            continue
        try:
            record = probe_model(found.path, found.logical_path)
        except ServiceError as error:
            err.print(f"left out {found.path.relative_to(folder)}: {error.message}", highlight=False)
            continue
        sys.stdout.write(json.dumps({"key": record["key"], **record}) + "\n")
    sys.stdout.flush()


@models.command("sheet")
def sheet_of_models(
    prompts: Annotated[Path, typer.Argument(help="A text file, one prompt a line.")],
    output: Annotated[Path, typer.Argument(help="The PNG to write.")],
) -> None:
    """Draws each prompt with the first Stable Diffusion 1 model on offer, through a worker of its own."""
    from invokeai_saas.sheet import make_sheet

    lines = [line.strip() for line in prompts.read_text().splitlines() if line.strip()]
    make_sheet(get_settings(), lines, output, out)


@page.command("install")
def install_page(source: Path) -> None:
    """Takes InvokeAI's page out of its wheel, or out of an installed package's folder."""
    from invokeai_saas.portal import install

    target = get_settings().page_dir
    if source.is_dir():
        install.install_page_from_folder(source, target)
    else:
        install.install_page(source, target)
    _say(f"InvokeAI's page is installed in {target}")


@nodes.command("export")
def export_nodes(target: Path) -> None:
    """Writes InvokeAI's node schemas for the API. Runs in the engine's environment."""
    from invokeai_saas.worker.engine.schemas import export_node_schemas

    export_node_schemas(target)
    _say(f"Node schemas written to {target}")


@library.command("export")
def export_library(folder: Path) -> None:
    """Writes what InvokeAI ships for everybody, for the API. Runs in the engine's environment."""
    from invokeai_saas.worker.engine.shipped import export_shipped

    _say(f"{export_shipped(folder)} workflows, presets and prompts written to {folder}")


@library.command("publish")
def publish_library() -> None:
    """Puts their pictures into the bucket, where they are not there yet. `up` does it by itself."""
    import asyncio

    from invokeai_saas.storage.objects import open_object_store
    from invokeai_saas.studio.shipped import Shipped, publish_pictures

    settings = get_settings()
    put = asyncio.run(publish_pictures(Shipped(settings.library_dir), open_object_store(settings)))
    _say(f"{put} pictures put into the bucket")


def main() -> None:
    """Runs the command; an expected error is a message and a remedy, not a traceback."""
    try:
        app(standalone_mode=False)
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
