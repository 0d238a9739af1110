"""Commands of the worker's domain. Each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer


def workers(
    engine: Annotated[str | None, typer.Option(help="invokeai or mock; WORKER_ENGINE otherwise.")] = None,
    fetch_models: Annotated[
        bool, typer.Option("--fetch-models", help="First bring models/shared/ of the bucket to MODEL_DIR.")
    ] = False,
) -> None:
    """Runs a worker for each GPU of this machine, and starts again those that end."""
    from invokeai_saas.observability.logs import configure_logs
    from invokeai_saas.settings import get_settings
    from invokeai_saas.storage.objects import open_object_store
    from invokeai_saas.worker.fleet import Fleet, gpus, worker_command
    from invokeai_saas.worker.sharedmodels import fetch_shared_models

    settings = get_settings()
    configure_logs(settings.log_level, process="workers")
    if fetch_models:
        fetch_shared_models(open_object_store(settings), settings.model_dir)
    Fleet(gpus(), settings.data_dir, worker_command(engine or settings.worker_engine)).run()
