"""The node types of the border check."""

from __future__ import annotations

import gc
import tracemalloc

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.queue.nodetypes import NodeTypes
from invokeai_saas.settings import Settings


def test_nothing_is_kept_of_names_that_nobody_knows() -> None:
    types = NodeTypes(NodeCatalog(Settings().node_schemas))
    known = types.get("noise")
    assert known is not None
    assert types.get("noise") is known
    gc.collect()
    tracemalloc.start()
    try:
        for n in range(100):
            assert types.get(f"{n}" * 100_000) is None
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
