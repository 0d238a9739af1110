"""`invokeai-saas admin mail`."""

from __future__ import annotations

from typing import Annotated

import typer

from invokeai_saas.errors import SetupError
from invokeai_saas.settings import get_settings
from invokeai_saas.terminal import out, say

app = typer.Typer(no_args_is_help=True, help="Mail that waits, went out or was given up.")


@app.command("list")
def list_mail(
    state: Annotated[str | None, typer.Option(help="waiting, sent or failed; all otherwise.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")] = 50,
) -> None:
    """Shows mails of the outbox, a line each, with what the mail server said last of those that did not go out."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.mail.operating import list_mails

    def line(text: str) -> None:
        out.print(text, markup=False, highlight=False, soft_wrap=True)

    for found in list_mails(owner_url(get_settings()), state, limit):
        line(f"{found.id}  {found.created_at:%F %T}  {found.state:<7}  {found.kind:<16}  {found.email}")
        if found.error:
            following = f", next at {found.due_at:%F %T}" if found.state == "waiting" else ""
            line(f"    tries: {found.attempts}{following}. {found.error}")


@app.command("retry")
def retry_mail(
    ids: Annotated[list[str] | None, typer.Argument(help="As `list` shows them.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
) -> None:
    """Has mails that were given up tried again, from the beginning."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.mail.operating import retry_mails

    if bool(ids) == failed:
        raise SetupError(
            "Nothing to try again was named.", "Name mails by their ids, or say --failed for all."
        )
    count = retry_mails(owner_url(get_settings()), None if failed else ids)
    say(f"{count} {'mail' if count == 1 else 'mails'} will be tried again")
