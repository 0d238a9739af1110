"""docs/deploy.md, read: its blocks of commands, what each says of how it is known to work, and the list at its end."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path("docs/deploy.md")
KINDS = {"here", "ci", "moto", "moto and PostgreSQL", "terraform", "service"}
_ONLY = "only an account: "
_PROVEN = "proven: "
_HEADING = "\n## What only a real account can prove\n"


@dataclass(frozen=True)
class Block:
    """Commands of one step.

    Parameters:
        proven: what they are run against; empty: nothing here can answer them.
        only: what of them an account alone can prove; empty: nothing.
    """

    name: str
    proven: str
    only: str
    code: str


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page.

    Raises:
        ValueError: one is no bash, or the line above it does not say how it is known to work.
    """
    found: list[Block] = []
    lines = iter(enumerate(text.splitlines(), 1))
    above = ""
    for number, line in lines:
        if line.startswith("```"):
            code = "\n".join(inner for _, inner in _until_fence(lines))
            if line != "```bash":
                raise ValueError(f"line {number}: {line} is no bash")
            found.append(_block(number, above, code))
        above = line
    return found


def _until_fence(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        if line == "```":
            return
        yield number, line
    raise ValueError("the last block has no end")


def _block(number: int, above: str, code: str) -> Block:
    mark = re.fullmatch(r"<!-- step: ([a-z-]+); (.+) -->", above)
    if mark is None:
        raise ValueError(f"line {number}: no mark stands above this block")
    said = [part.strip() for part in mark[2].split(";")]
    proven = [part.removeprefix(_PROVEN) for part in said if part.startswith(_PROVEN)]
    only = [part.removeprefix(_ONLY) for part in said if part.startswith(_ONLY)]
    if len(proven) + len(only) != len(said) or len(proven) > 1 or len(only) > 1 or not set(proven) <= KINDS:
        raise ValueError(f"line {number}: {above} is no mark")
    return Block(mark[1], "".join(proven), "".join(only), code)


def listed(text: str) -> list[str]:
    """What the page's end says that only an account can prove."""
    return re.findall(r"^- (.+)$", text.partition(_HEADING)[2], re.MULTILINE)


def commands(code: str, program: str) -> list[list[str]]:
    """Words of each call of a program, those within substitutions too."""
    joined = re.sub(r"\\\n\s*", " ", code)
    found = []
    for match in re.finditer(rf"(?:^|[\s(|&;\"]){program} ([^\n]*)", joined):
        rest = re.split(r"\s\|\s|\)\"?(?:\s|;|$)|;\s|\s>|\s<|\" \\|\s&&", match[1])[0]
        try:
            words = shlex.split(rest)
        except ValueError:  # an apostrophe of what stands around it
            words = rest.split()
        found.append(words)
    return found
