"""`invokeai-saas admin organisations`."""

from __future__ import annotations

from typing import Annotated

import typer

from invokeai_saas.settings import get_settings
from invokeai_saas.terminal import out, say

app = typer.Typer(no_args_is_help=True, help="Customers with several people.")


@app.command("create")
def create_organisation(
    name: str, owner: Annotated[str, typer.Argument(help="The owner's address.")]
) -> None:
    """Makes an organisation. Its people share while the owner's plan has collaboration."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    admin.create(owner_url(get_settings()), name, owner)
    say(f"{name} belongs to {owner}")


@app.command("add")
def add_to_organisation(name: str, email: str) -> None:
    """Makes a person a member."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    admin.add(owner_url(get_settings()), name, email)
    say(f"{email} is of {name}")


@app.command("remove")
def remove_from_organisation(name: str, email: str) -> None:
    """Ends a membership. What others shared is out of the person's sight at once, and the other way round."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    admin.remove(owner_url(get_settings()), name, email)
    say(f"{email} is of {name} no more")


@app.command("hand-over")
def hand_over_organisation(
    name: str, email: Annotated[str, typer.Argument(help="A member's address.")]
) -> None:
    """Makes a member its owner, whose plan decides from now on whether its people share."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    admin.hand_over(owner_url(get_settings()), name, email)
    say(f"{name} belongs to {email}")


@app.command("delete")
def delete_organisation(name: str) -> None:
    """Ends an organisation. Its people keep what is theirs and share nothing."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    admin.delete(owner_url(get_settings()), name)
    say(f"{name} is gone")


@app.command("list")
def list_organisations() -> None:
    """All organisations with their people."""
    from rich.table import Table

    from invokeai_saas.local import owner_url
    from invokeai_saas.organisations import admin

    table = Table(show_header=True, header_style="bold")
    for column in ("organisation", "owner", "members", "shares"):
        table.add_column(column, overflow="fold")
    for found in admin.listed(owner_url(get_settings())):
        table.add_row(found.name, found.owner, "\n".join(found.members), "yes" if found.shares else "no")
    out.print(table)
