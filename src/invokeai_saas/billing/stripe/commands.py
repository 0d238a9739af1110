"""`invokeai-saas admin payments`."""

from __future__ import annotations

from typing import Annotated

import typer

from invokeai_saas.errors import SetupError
from invokeai_saas.settings import get_settings
from invokeai_saas.terminal import out, say

app = typer.Typer(no_args_is_help=True, help="What Stripe told us.")


@app.command("events")
def list_events(limit: Annotated[int, typer.Option(min=1, max=500)] = 20) -> None:
    """Lists what Stripe told us, the newest first."""
    from rich.table import Table

    from invokeai_saas.billing.stripe.operating import recent_events
    from invokeai_saas.local import owner_url

    table = Table(show_header=True, header_style="bold")
    for column in ("received", "event", "type", "status", "tries", "error"):
        table.add_column(column, overflow="fold")
    for event in recent_events(owner_url(get_settings()), limit):
        table.add_row(*event)
    out.print(table)


@app.command("replay")
def replay_event(event: Annotated[str, typer.Argument(help="evt_...")]) -> None:
    """Has an event applied again. Whatever was applied before stays applied once."""
    from invokeai_saas.billing.stripe.operating import replay
    from invokeai_saas.local import owner_url

    if not replay(owner_url(get_settings()), event):
        raise SetupError(f"There is no event {event}.", "See `invokeai-saas admin payments events`.")
    say(f"{event} will be applied again")
