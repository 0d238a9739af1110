"""`make infra-apply`: exit status 1 when something is not as the list has it, 3 when nothing could be applied here."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from infra.rehearsal import cloud
from infra.rehearsal.known import read
from infra.rehearsal.rehearsal import Rehearsed, prepare, rehearse
from infra.rehearsal.terraform import Failed, Missing, Terraform, program

PROBLEMS, SKIPPED = 1, 3
_begun = time.monotonic()


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{time.monotonic() - _begun:6.0f} s  {text}\n")
    sys.stdout.flush()


def table(done: Rehearsed, degrees: dict[str, str]) -> str:
    """What was applied, module by module."""
    lines = [f"{'module':<18}{'resources':>10}{'applied':>9}{'differ':>8}  served"]
    for module, (count, made, differ) in done.rows.items():
        lines.append(f"{module:<18}{count:>10}{made:>9}{differ:>8}  {degrees.get(module, '?')}")
    sums = [sum(row[i] for row in done.rows.values()) for i in range(3)]
    lines.append(f"{'all':<18}{sums[0]:>10}{sums[1]:>9}{sums[2]:>8}  left after destroying: {len(done.left)}")
    return "\n".join(lines)


def main() -> int:
    known = read()
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as scratch:
        folder = Path(scratch)
        prepare(folder)
        try:
            program()  # before anything is started for it
            with cloud.started(folder / "moto.log") as aws:
                say("fetching modules and provider")
                done = rehearse(Terraform.prepared(folder, aws.url), known, say)
                done.problems.extend(cloud.leftovers(aws))
        except Missing as why:
            sys.stdout.write(f"SKIPPED: {why}. NOTHING WAS APPLIED.\n")
            return SKIPPED
        except Failed as failed:
            sys.stdout.write(f"FAILED\n{failed}\n")
            return PROBLEMS
    sys.stdout.write(f"{table(done, known.modules)}\n")
    for problem in done.problems:
        sys.stdout.write(f"FAILED: {problem}\n")
    return PROBLEMS if done.problems else 0


if __name__ == "__main__":
    sys.exit(main())
