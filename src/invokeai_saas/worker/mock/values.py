"""Nodes of numbers and texts: what they answer follows from what they are given."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "EXP": lambda a, b: a**b,
    "MOD": lambda a, b: a % b,
    "ABS": lambda a, _: abs(a),
    "SQRT": lambda a, _: math.sqrt(a),
    "MIN": min,
    "MAX": max,
}
_ROUNDINGS: dict[str, Callable[[float], int]] = {
    "Nearest": round,
    "Floor": math.floor,
    "Ceiling": math.ceil,
    "Truncate": math.trunc,
}
_NODE_ATTRIBUTES = ("id", "type", "is_intermediate", "use_cache", "board", "metadata")


def _of(name: str, otherwise: Any = 0) -> Callable[[Fields], Any]:
    return lambda fields: otherwise if fields.get(name) is None else fields[name]


_A, _B, _VALUE = _of("a"), _of("b"), _of("value")


def _integer_math(fields: Fields) -> int:
    operation = fields.get("operation", "ADD")
    if operation == "DIV":
        return int(_A(fields) / _B(fields))
    return int(_OPERATIONS[operation](_A(fields), _B(fields)))


def _float_math(fields: Fields) -> float:
    operation = fields.get("operation", "ADD")
    if operation == "DIV":
        return float(_A(fields) / _B(fields))
    return float(_OPERATIONS[operation](_A(fields), _B(fields)))


def _to_integer(fields: Fields) -> int:
    multiple = max(int(_of("multiple", 1)(fields)), 1)
    return _ROUNDINGS[fields.get("method", "Nearest")](_VALUE(fields) / multiple) * multiple


def _random_range(fields: Fields) -> list[int]:
    dice = random.Random(_of("seed")(fields))
    low, high = _of("low")(fields), _of("high", 2**31 - 1)(fields)
    return [dice.randrange(low, max(high, low + 1)) for _ in range(_of("size", 1)(fields))]


def _float_range(fields: Fields) -> list[float]:
    start, stop, steps = _of("start", 5)(fields), _of("stop", 10)(fields), _of("steps", 30)(fields)
    return [start + (stop - start) * step / max(steps - 1, 1) for step in range(steps)]


def _replaced(fields: Fields) -> str:
    text, old, new = (str(_of(name, "")(fields)) for name in ("string", "search_string", "replace_string"))
    return re.sub(old, new, text) if fields.get("use_regex") else text.replace(old, new)


def _split(fields: Fields) -> Fields:
    text, delimiter = _of("string", "")(fields), _of("delimiter", "")(fields)
    first, _, second = text.partition(delimiter) if delimiter else (text, "", "")
    return {"string_1": first, "string_2": second}


def _core_metadata(fields: Fields) -> Fields:
    kept = {
        name: value for name, value in fields.items() if name not in _NODE_ATTRIBUTES and value is not None
    }
    return {"metadata": kept}


def _metadata(fields: Fields) -> Fields:
    items = fields.get("items") or []
    items = items if isinstance(items, list) else [items]
    return {"metadata": {item["label"]: item["value"] for item in items}}


def _merged(fields: Fields) -> Fields:
    return {
        "metadata": {key: value for part in fields.get("collection") or [] for key, value in part.items()}
    }


def _ideal_size(fields: Fields) -> Fields:
    return {side: max(int(_of(side, 512)(fields)) // 8 * 8, 8) for side in ("width", "height")}


ANSWERS: dict[str, Callable[[Fields], Fields]] = {
    "add": lambda f: {"value": _A(f) + _B(f)},
    "sub": lambda f: {"value": _A(f) - _B(f)},
    "mul": lambda f: {"value": _A(f) * _B(f)},
    "div": lambda f: {"value": int(_A(f) / _B(f))},
    "integer_math": lambda f: {"value": _integer_math(f)},
    "float_math": lambda f: {"value": _float_math(f)},
    "float_to_int": lambda f: {"value": _to_integer(f)},
    "round_float": lambda f: {"value": round(_VALUE(f), _of("decimals")(f))},
    "rand_int": lambda f: {"value": random.randrange(_of("low")(f), _of("high", 2**31 - 1)(f))},
    "rand_float": lambda f: {"value": random.uniform(_of("low", 0.0)(f), _of("high", 1.0)(f))},
    "range": lambda f: {"collection": list(range(_of("start")(f), _of("stop", 10)(f), _of("step", 1)(f)))},
    "range_of_size": lambda f: {
        "collection": [_of("start")(f) + _of("step", 1)(f) * place for place in range(_of("size", 1)(f))]
    },
    "random_range": lambda f: {"collection": _random_range(f)},
    "float_range": lambda f: {"collection": _float_range(f)},
    "string_join": lambda f: {"value": _of("string_left", "")(f) + _of("string_right", "")(f)},
    "string_join_three": lambda f: {
        "value": "".join(_of(f"string_{part}", "")(f) for part in ("left", "middle", "right"))
    },
    "string_replace": lambda f: {"value": _replaced(f)},
    "string_split": _split,
    "if": lambda f: {"value": f.get("true_input" if f.get("condition") else "false_input")},
    "iterate": lambda f: {
        "item": f["collection"][f["index"]],
        "index": f["index"],
        "total": len(f["collection"]),
    },
    "core_metadata": _core_metadata,
    "metadata": _metadata,
    "metadata_item": lambda f: {"item": {"label": f.get("label"), "value": f.get("value")}},
    "merge_metadata": _merged,
    "ideal_size": _ideal_size,
}
"""By type of node: from its fields to those of its answer that its schema does not give away.

Raises what Python does for impossible arithmetic.
"""
