"""How commands speak to whoever typed them."""

from __future__ import annotations

from rich.console import Console

out = Console()
err = Console(stderr=True)


def say(text: str) -> None:
    """A line of what was done."""
    out.print(f"[bold cyan]•[/] {text}", highlight=False)
