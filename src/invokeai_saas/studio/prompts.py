"""Dynamic prompts: the prompts that one with `{a|b}` in it stands for.

The syntax is that of the `dynamicprompts` library, as InvokeAI's page documents it, as far as it needs no files:
options `{a|b}`, nested ones, weights `{2::a|b}`, choices of several `{2$$a|b|c}`, `{1-2$$a|b}`, with a separator
`{2$$ and $$a|b|c}`. Wildcards (`__name__`) name files of a local installation, so there are none; variables are not
understood. An error is told, never raised, and the prompt then stands for itself.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations

from invokeai_saas.studio.schemas import DynamicPrompts, DynamicPromptsRequest

# The prompt is a stranger's: these bound the time and the stack that it can take.
_MAX_DEPTH = 10
_MAX_VARIANTS = 100  # in one prompt
_MAX_JOINED = 20  # options of one variant in one prompt
_MAX_STEPS = 200_000  # options looked at, in all
_MAX_CHARS = 2_000_000  # in one answer

_BOUNDS = re.compile(r"\s*(?:(\d{1,4})(-)?(\d{1,4})?|-(\d{1,4}))\$\$(?:([^${}|]*)\$\$)?")
_WEIGHT = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)::")
_VARIABLE = re.compile(r"(?<!\$)\$\{")
_PIECES = re.compile(r"([{}|])")
_WILDCARD = re.compile(r"__([\w./*-]+?)__")


class _BadPromptError(Exception):
    """What is wrong with the prompt, for the person."""


@dataclass(frozen=True)
class _Variants:
    """`low` to `high` of the options, in any order, joined by the separator."""

    options: tuple[tuple[_Part, ...], ...]
    weights: tuple[float, ...]
    low: int
    high: int
    separator: str


_Part = str | _Variants


def expand(request: DynamicPromptsRequest) -> DynamicPrompts:
    """All the prompts in order, or random ones, at most `max_prompts`."""
    parser = _Parser(request.prompt)
    try:
        parts = parser.parse()
    except _BadPromptError as error:
        return DynamicPrompts(prompts=[request.prompt], error=str(error))
    if request.combinatorial:
        most, found = request.max_prompts, _All().prompts(parts)
    else:
        most = min(request.max_prompts, 1 + _MAX_STEPS // parser.size)
        found = _at_random(parts, random.Random(request.seed))
    prompts: list[str] = []
    chars = 0
    for prompt in islice(found, most):
        chars += len(prompt)
        if prompts and chars > _MAX_CHARS:
            break
        prompts.append(prompt)
    return DynamicPrompts(prompts=prompts or [""])


class _Parser:
    """Recursive descent over the text, split at braces and bars."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._pieces = [piece for piece in _PIECES.split(prompt) if piece]
        self._next = 0
        self._variants = 0

    @property
    def size(self) -> int:
        """How many pieces there are: what one random prompt costs, at most."""
        return len(self._pieces) + 1

    def parse(self) -> tuple[_Part, ...]:
        """The whole prompt. Raises _BadPromptError."""
        if _VARIABLE.search(self._prompt):
            raise _BadPromptError("Variables (${...}) are not supported.")
        return self._sequence(0)

    def _sequence(self, depth: int) -> tuple[_Part, ...]:
        """Up to the end, or within braces up to the bar or brace that ends the option, which is left standing."""
        parts: list[_Part] = []
        while self._next < len(self._pieces):
            piece = self._pieces[self._next]
            if depth and piece in ("|", "}"):
                break
            self._next += 1
            if piece == "{":
                parts.append(self._braces(depth + 1))
                continue
            if depth and (wildcard := _WILDCARD.search(piece)):
                raise _BadPromptError(f"No values found for wildcard(s): {wildcard[1]}")
            # Bars and braces that mean nothing are text like any other.
            last = parts[-1] if parts else None
            if isinstance(last, str):
                parts[-1] = last + piece
            else:
                parts.append(piece)
        return tuple(parts)

    def _braces(self, depth: int) -> _Variants:
        self._variants += 1
        if depth > _MAX_DEPTH or self._variants > _MAX_VARIANTS:
            raise _BadPromptError(
                f"At most {_MAX_VARIANTS} variants, {_MAX_DEPTH} within each other, can be expanded."
            )
        low, high, separator = self._bounds()
        options: list[tuple[_Part, ...]] = []
        weights: list[float] = []
        while True:
            weights.append(self._weight())
            options.append(_trimmed(self._sequence(depth)))
            if self._next == len(self._pieces):
                raise _BadPromptError("A { is not closed by a }.")
            self._next += 1
            if self._pieces[self._next - 1] == "}":
                break
        high = min(len(options) if high is None else high, len(options))
        if high > _MAX_JOINED:
            raise _BadPromptError(f"At most {_MAX_JOINED} options can be joined.")
        return _Variants(tuple(options), tuple(weights), min(low, high), high, separator)

    def _bounds(self) -> tuple[int, int | None, str]:
        found = self._take(_BOUNDS)
        if found is None:
            return 1, 1, ","
        low, dash, high, at_most = found[1], found[2], found[3], found[4]
        separator = "," if found[5] is None else found[5]
        if at_most:
            return 1, int(at_most), separator
        return int(low), int(high) if high else None if dash else int(low), separator

    def _weight(self) -> float:
        found = self._take(_WEIGHT)
        return float(found[1]) if found else 1.0

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The pattern at the beginning of the next piece, which loses it."""
        found = pattern.match(self._pieces[self._next]) if self._next < len(self._pieces) else None
        if found:
            self._pieces[self._next] = self._pieces[self._next][found.end() :]
        return found


def _trimmed(parts: tuple[_Part, ...]) -> tuple[_Part, ...]:
    """An option without the white space before it; what follows it stays, as in the library."""
    if parts and isinstance(parts[0], str):
        return (parts[0].lstrip(), *parts[1:])
    return parts


class _All:
    """Every prompt, one after the other. Looks at so many combinations and then stops."""

    def __init__(self) -> None:
        self._steps = 0

    def prompts(self, parts: tuple[_Part, ...]) -> Iterator[str]:
        if not parts:
            yield ""
            return
        for head in self._each(parts[0]):
            for tail in self.prompts(parts[1:]):
                yield head + tail

    def _each(self, part: _Part) -> Iterator[str]:
        if isinstance(part, str):
            yield part
            return
        options = tuple(dict.fromkeys(part.options))
        seen: set[tuple[str, ...]] = set()
        for count in range(part.low, part.high + 1):
            for chosen in permutations(options, count):
                for texts in self._texts(chosen):
                    self._steps += 1 + count
                    if self._steps > _MAX_STEPS:
                        return
                    if len(set(texts)) == count and texts not in seen:
                        seen.add(texts)
                        yield part.separator.join(texts)

    def _texts(self, chosen: tuple[tuple[_Part, ...], ...]) -> Iterator[tuple[str, ...]]:
        if not chosen:
            yield ()
            return
        for head in self.prompts(chosen[0]):
            for tail in self._texts(chosen[1:]):
                yield (head, *tail)


def _at_random(parts: tuple[_Part, ...], dice: random.Random) -> Iterator[str]:
    while True:
        yield _one(parts, dice)


def _one(parts: tuple[_Part, ...], dice: random.Random) -> str:
    """One prompt by the weights."""
    return "".join(part if isinstance(part, str) else _choice(part, dice) for part in parts)


def _choice(part: _Variants, dice: random.Random) -> str:
    """Options by their weights, none twice.

    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006, in its exponential form.
    """
    arrivals = [
        (weight == 0, dice.expovariate(weight or 1), option)
        for weight, option in zip(part.weights, range(len(part.options)), strict=True)
    ]
    chosen = sorted(arrivals)[: dice.randint(part.low, part.high)]
    return part.separator.join(_one(part.options[option], dice) for _, _, option in chosen)
