"""InvokeAI's node engine inside our worker. Importable in the engine environment only.

The environment below must be set before anything of InvokeAI, transformers or huggingface_hub is imported:
those read it once. It takes downloads away from every node, loader and tokenizer of the process, and progress
bars from its log.
"""

from __future__ import annotations

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",  # its threads and torch's fight over the same cores
    TQDM_DISABLE="1",
)
for _name, _value in {
    "INVOKEAI_LOG_LEVEL": "warning",
    "INVOKEAI_LOG_FORMAT": "plain",
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
}.items():
    os.environ.setdefault(_name, _value)
