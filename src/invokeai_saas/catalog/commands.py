"""`invokeai-saas admin models`. Each command imports what it needs: one of them runs in the engine's environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from invokeai_saas.errors import ServiceError
from invokeai_saas.settings import get_settings
from invokeai_saas.terminal import err, out, say

app = typer.Typer(no_args_is_help=True, help="Models on offer.")


@app.command("scan")
def scan_models(
    fetch_models: Annotated[
        bool, typer.Option("--fetch-models", help="First bring models/shared/ of the bucket to MODEL_DIR.")
    ] = False,
) -> None:
    """Registers the models below MODEL_DIR: diffusers folders, .safetensors and .gguf files."""
    from invokeai_saas.catalog.registration import mark_missing, register_models
    from invokeai_saas.catalog.scanning import scan

    settings = get_settings()
    if fetch_models:
        from invokeai_saas.storage.objects import open_object_store
        from invokeai_saas.worker.sharedmodels import fetch_shared_models

        fetched = fetch_shared_models(open_object_store(settings), settings.model_dir)
        say(f"{fetched.files} files fetched, {fetched.present} were there")
    with out.status(f"Examining {settings.model_dir}"):
        records = scan(settings)
    url = settings.database_owner_url.get_secret_value()
    if not url:  # of the service on this machine; a worker's image has not the libraries for that
        from invokeai_saas.local import owner_url

        url = owner_url(settings)
    for model in register_models(url, records, by_operator=True):
        say(f"{model.path}: {model.key}")
    for path in mark_missing(url, [record["path"] for record in records]):
        say(f"{path}: its files are gone")
    say(f"{len(records)} models registered")


@app.command("probe", hidden=True)
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


@app.command("sheet")
def sheet_of_models(
    prompts: Annotated[Path, typer.Argument(help="A text file, one prompt a line.")],
    output: Annotated[Path, typer.Argument(help="The PNG to write.")],
) -> None:
    """Draws each prompt with the first Stable Diffusion 1 model on offer, through a worker of its own."""
    from invokeai_saas.sheet import make_sheet

    lines = [line.strip() for line in prompts.read_text().splitlines() if line.strip()]
    make_sheet(get_settings(), lines, output, out)
