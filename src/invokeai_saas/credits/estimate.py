"""How many credits a job is likely to need, before it runs.

The reservation is an estimate with head-room: the measured seconds are what is charged, and a job that outgrows
its reservation draws on what else is available. The prior below is in seconds of the basic tier (T4).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

_PIXELS = 512 * 512
# Seconds a denoising step takes at 512 x 512, guidance on, by model base: InvokeAI on a T4, half precision.
_STEP_SECONDS = {"sd-1": 0.12, "sd-2": 0.14, "sdxl": 0.32, "sd-3": 0.5, "flux": 1.2, "flux2": 1.5}
_OTHER_STEP_SECONDS = 0.5
_DECODE_SECONDS = 0.6  # of 512 x 512 pixels, encode of the prompt included
_OVERHEAD_SECONDS = 1.0  # everything else, a warm model presumed
_HEADROOM = 1.5


@dataclass(frozen=True)
class Work:
    """What a job is going to do.

    Parameters:
        base: InvokeAI's base of the main model, e.g. "sd-1"; empty for a graph without one.
        steps: denoising steps, over all denoising nodes.
        width, height: pixels of one picture.
    """

    base: str
    model_name: str
    steps: int
    width: int
    height: int


def estimate_credits(work: Work) -> int:
    """Whole credits to reserve for a job; at least 1."""
    area = max(work.width * work.height, 64 * 64) / _PIXELS
    step = _STEP_SECONDS.get(work.base, _OTHER_STEP_SECONDS)
    seconds = _OVERHEAD_SECONDS
    if work.steps:
        seconds += work.steps * step * area + _DECODE_SECONDS * area
    return max(1, ceil(seconds * _HEADROOM))
