"""What both training loops share: the device, mixed precision, averaged weights, progress lines."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Final

import torch

_START: Final = time.monotonic()


def pick_device() -> torch.device:
    """The GPU if there is one. On it, TF32 products and measured convolution kernels."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return torch.device("cuda")


def seed_everything(seed: int) -> None:
    """Make two runs on the same machine start alike."""
    random.seed(seed)
    torch.manual_seed(seed)


def mixed_precision(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 where it is safe, on either device."""
    context: AbstractContextManager[None] = torch.autocast(device.type, torch.bfloat16)
    return context


def say(text: str) -> None:
    """A line of progress with the seconds since the start, on standard error."""
    print(f"[{time.monotonic() - _START:7.1f}s] {text}", file=sys.stderr, flush=True)


class Average:
    """Exponential moving average of weights, which samples better than the weights themselves.

    The decay grows from 0 towards `decay`, so that the first random weights are forgotten.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], decay: float) -> None:
        """Starts as a copy of `parameters`, whose tensors it keeps referring to."""
        self._live = list(parameters)
        self._kept = [parameter.detach().clone() for parameter in self._live]
        self._decay = decay

    def update(self, step: int) -> None:
        """Take in the weights after `step` steps."""
        decay = min(self._decay, (step + 1) / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(self._kept, [p.detach() for p in self._live], 1 - decay)

    def apply(self) -> None:
        """Put the average in the place of the weights."""
        with torch.no_grad():
            for live, kept in zip(self._live, self._kept, strict=True):
                live.copy_(kept)
