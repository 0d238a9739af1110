"""`invokeai-saas admin staff`: who is of our staff."""

from __future__ import annotations

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="People of our staff, who log in at /admin.")
out = Console()


@app.command("add")
def add_staff(email: str) -> None:
    """Makes somebody staff, or gives them a new password and authenticator. Both are shown once, here."""
    from invokeai_saas.identity.staff import operating
    from invokeai_saas.local import owner_url
    from invokeai_saas.settings import get_settings

    settings = get_settings()
    made = operating.add(owner_url(settings), email)
    for line in (
        f"{made.email} is of the staff and logs in at {settings.public_url}/admin/login",
        f"Password: {made.password}",
        f"Authenticator: {made.otpauth}",
        "Neither is shown again.",
    ):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@app.command("remove")
def remove_staff(email: str) -> None:
    """Ends somebody's being staff, and their sessions as such. An account that they have as a customer stays."""
    from invokeai_saas.identity.staff import operating
    from invokeai_saas.local import owner_url
    from invokeai_saas.settings import get_settings

    operating.remove(owner_url(get_settings()), email)
    out.print(f"{email} is of the staff no more", markup=False, highlight=False)


@app.command("list")
def list_staff() -> None:
    """Everybody of the staff, and when they were last at work."""
    from invokeai_saas.identity.staff import operating
    from invokeai_saas.local import owner_url
    from invokeai_saas.settings import get_settings

    for found in operating.listed(owner_url(get_settings())):
        seen = f"{found.seen:%F %T}" if found.seen else "never"
        line = f"{found.email}  since {found.since:%F}  last at work: {seen}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
