"""The repository's Dockerfiles, read as far as the tests ask: instructions with their words, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
API = ROOT / "docker" / "Dockerfile.api"
WORKER = ROOT / "docker" / "Dockerfile.gpu-worker"
ALL = (API, WORKER)


@dataclass
class Stage:
    """Parameters: base: what FROM names; instructions: keyword and the rest, in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, keyword: str) -> list[str]:
        return [rest for name, rest in self.instructions if name == keyword]

    def last(self, keyword: str) -> str:
        return self.all(keyword)[-1]

    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in line.split())

    def copied(self) -> Iterator[tuple[str | None, list[str], str]]:
        """Of each COPY: the stage it comes from, its sources, its target."""
        for line in self.all("COPY"):
            words = line.split()
            options = [word for word in words if word.startswith("--")]
            *sources, target = [word for word in words if not word.startswith("--")]
            origin = next((o.removeprefix("--from=") for o in options if o.startswith("--from=")), None)
            yield origin, sources, target


def _instructions(file: Path) -> Iterator[tuple[str, str]]:
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            keyword, _, rest = line.strip().partition(" ")
            yield keyword.upper(), rest.strip()


def stages(file: Path) -> list[Stage]:
    found: list[Stage] = []
    for keyword, rest in _instructions(file):
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(name, base))
        else:
            found[-1].instructions.append((keyword, rest))
    return found


def command(words: str) -> list[str]:
    """The exec form of CMD, ENTRYPOINT and a health check."""
    parsed = json.loads(words[words.index("[") :])
    assert isinstance(parsed, list)
    return [str(word) for word in parsed]
