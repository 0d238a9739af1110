"""What colleagues share, asked for with the statements that ask for one's own.

The schema `sharing` has views of the same names and columns as the tables, which hold what the people of the caller's
organisation show each other now (migration 0014). A statement that is executed with SHARED reads those instead. No
statement that writes may be: the API's role can only read there.
"""

from __future__ import annotations

from typing import Any

SCHEMA = "sharing"
_TRANSLATED: dict[str | None, str] = {None: SCHEMA}
SHARED: dict[str, Any] = {"schema_translate_map": _TRANSLATED}  # execution options


def options(*, shared: bool) -> dict[str, Any]:
    """Execution options of a statement: what is shared, or one's own."""
    return SHARED if shared else {}
