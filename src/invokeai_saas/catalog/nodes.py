"""InvokeAI's node schemas, as the engine's environment exported them at install time.

The API never imports InvokeAI: what it must know about nodes (which there are, their fields' types, which are
allowed on shared workers) it reads from this file.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from invokeai_saas.errors import SetupError

_KEY = "x-invokeai-saas"


class NodeCatalog:
    """The exported schemas, read when first needed.

    Parameters:
        file: JSON document with `components.schemas` and our `x-invokeai-saas` key.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    @cached_property
    def document(self) -> dict[str, Any]:
        """The whole export. Raises SetupError when it was not installed."""
        try:
            document: dict[str, Any] = orjson.loads(self._file.read_bytes())
        except FileNotFoundError as error:
            raise SetupError(
                f"The node schemas are missing ({self._file}).", "Run `make install` to export them."
            ) from error
        return document

    @property
    def invokeai_version(self) -> str:
        """The InvokeAI release whose contract we speak."""
        return str(self.document[_KEY]["invokeai_version"])

    @cached_property
    def allowed(self) -> frozenset[str]:
        """Node types that may run on a shared worker."""
        return frozenset(self.document[_KEY]["allowed_nodes"])

    @cached_property
    def denied(self) -> dict[str, str]:
        """Node types that may not, with the reason a person is told."""
        return dict(self.document[_KEY]["denied_nodes"])
