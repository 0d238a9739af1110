"""How many credits a job is likely to need, before it runs.

The reservation is the high estimate: the measured seconds are what is charged, and a job that outgrows its
reservation draws on what else is available. Estimates are learnt from the service's own history; the prior below, in
seconds of the basic tier (T4), is what they begin with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import NamedTuple

_PIXELS = 512 * 512
# Seconds a denoising step takes at 512 x 512, guidance on, by model base: InvokeAI on a T4, half precision.
_STEP_SECONDS = {"sd-1": 0.12, "sd-2": 0.14, "sdxl": 0.32, "sd-3": 0.5, "flux": 1.2, "flux2": 1.5}
_OTHER_STEP_SECONDS = 0.5
_DECODE_SECONDS = 0.6  # of 512 x 512 pixels, encode of the prompt included
_OVERHEAD_SECONDS = 1.0  # everything else, a warm model presumed
_SPREAD = (0.75, 1.0, 1.5)  # low, likely and high, as multiples of it
_LEAST_AREA = 64 * 64
PRIOR_WEIGHT = 10


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


class Needed(NamedTuple):
    """Credits that a job needs: a quarter of such jobs less than `low`, half of them `likely`, nine in ten `high`."""

    low: int
    likely: int
    high: int  # what is reserved


class Learnt(NamedTuple):
    """GPU seconds that jobs of one class took. Parameters: samples: so many jobs were looked at."""

    samples: int
    low: float
    likely: float
    high: float


class JobClass(NamedTuple):
    """Jobs that take about as long, as the database's `_estimate_size` and `_estimate_steps` put them together."""

    base: str
    tier: str
    size: int
    steps: int


def job_class(work: Work, tier: str) -> JobClass:
    """Half powers of two of the area, quarter powers of two of the steps."""
    size = round(2 * log2(max(work.width * work.height, _LEAST_AREA) / _LEAST_AREA))
    return JobClass(work.base, tier, size, round(4 * log2(work.steps)) if work.steps > 0 else -1)


_NOTHING = Learnt(0, 0.0, 0.0, 0.0)


class Estimates:
    """What is known of all jobs at one moment.

    Parameters:
        learnt: by class.
        rates: credits a second, by tier.
    """

    def __init__(self, learnt: Mapping[JobClass, Learnt], rates: Mapping[str, float]) -> None:
        self._learnt = learnt
        self._rates = rates

    def needed(self, work: Work, tier: str) -> Needed:
        """At least 1 credit each. Few samples lean on the prior, which counts as much as PRIOR_WEIGHT of them."""
        seconds = prior_seconds(work)
        learnt = self._learnt.get(job_class(work, tier), _NOTHING)
        rate = self._rates.get(tier, 1.0)
        weights = PRIOR_WEIGHT + learnt.samples
        return Needed(
            *(
                max(1, ceil((PRIOR_WEIGHT * seconds * spread + learnt.samples * known) / weights * rate))
                for spread, known in zip(_SPREAD, learnt[1:], strict=True)
            )
        )

    def samples(self, work: Work, tier: str) -> int:
        """How many jobs of its class were looked at."""
        return self._learnt.get(job_class(work, tier), _NOTHING).samples


def prior_seconds(work: Work) -> float:
    """Seconds of the basic tier's GPU that a job is expected to take before any was measured."""
    area = max(work.width * work.height, _LEAST_AREA) / _PIXELS
    step = _STEP_SECONDS.get(work.base, _OTHER_STEP_SECONDS)
    seconds = _OVERHEAD_SECONDS
    if work.steps:
        seconds += work.steps * step * area + _DECODE_SECONDS * area
    return seconds
