"""`invokeai-saas admin privacy`."""

from __future__ import annotations

import json
import sys

import typer

app = typer.Typer(no_args_is_help=True, help="Deletions of people, and their proofs.")


@app.command("proof")
def show_proof(proof_id: str) -> None:
    """Shows what was deleted of somebody, and checks the proof with all before it. Fails when one was changed."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.privacy.proofs import proof
    from invokeai_saas.settings import get_settings

    found = proof(owner_url(get_settings()), proof_id)
    shown = {**found.report, "finished_at": found.finished_at.isoformat() if found.finished_at else None}
    sys.stdout.write(json.dumps({**shown, "sha256": found.hash, "intact": found.intact}, indent=2) + "\n")
    if not found.intact:
        raise typer.Exit(1)


@app.command("deletions")
def list_deletions() -> None:
    """Lists who is going to be deleted, a line each: person, why, when, and how far it is."""
    from invokeai_saas.local import owner_url
    from invokeai_saas.privacy.proofs import under_way
    from invokeai_saas.settings import get_settings

    for row in under_way(owner_url(get_settings())):
        sys.stdout.write("  ".join(row) + "\n")
