"""What all steps share: how they fail, how they wait, what they say."""

from __future__ import annotations

import sys
import time


class DeliveryFailed(Exception):
    """A step did not do what it should. The message is for whoever reads the pipeline's log."""


class Clock:
    """Time, as steps see it. Tests have one that makes AWS go on while a step waits."""

    def now(self) -> float:
        """Seconds; only differences mean something."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


def say(text: str) -> None:
    """A line of the log, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
