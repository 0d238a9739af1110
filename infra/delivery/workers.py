"""GPU machines go over to another image.

Their groups start machines that read the image's address from a parameter. So a new image is a parameter and then new
machines, one part after the other; a machine that works is waited for, as long as its job takes. Workers of two
versions side by side are no harm: migrations are backward compatible by one release.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say

_LOOK_SECONDS = 30.0
_DONE, _BAD = ("Successful",), ("Failed", "Cancelled", "RollbackFailed", "RollbackSuccessful")


def replace_workers(
    parameter: str, image: str, groups: Sequence[str], *, seconds: float = 0.0, clock: Clock | None = None
) -> None:
    """Writes the parameter and has the machines of the groups replaced.

    Parameters:
        parameter: of SSM, which new machines read.
        image: by digest.
        groups: auto-scaling groups.
        seconds: to wait for the end; 0: not at all.

    Raises:
        DeliveryFailed: the replacement failed or took too long. Then the parameter names the former image again, and
            the groups are told to go back to it.
    """
    ssm: Any = boto3.client("ssm")
    before = str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
    if before == image:
        say(f"{parameter} names this image already")
        return
    refreshes = _Refreshes(clock or Clock())
    ssm.put_parameter(Name=parameter, Value=image, Overwrite=True)
    say(f"{parameter}: {image} instead of {before}")
    try:
        refreshes.end(groups)  # of an earlier release, whose image is no longer wanted
        refreshes.start(groups)
        if seconds:
            refreshes.wait(seconds)
    except Exception as error:
        say(f"Going back: {error}")
        ssm.put_parameter(Name=parameter, Value=before, Overwrite=True)
        refreshes.end(groups)
        refreshes.start(groups)
        raise DeliveryFailed(f"Workers go back to {before}: {error}") from error


class _Refreshes:
    """The replacement of machines in several groups."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._autoscaling: Any = boto3.client("autoscaling")
        self._started: dict[str, str] = {}

    def start(self, groups: Sequence[str]) -> None:
        for group in groups:
            # The launch template is the same, since the image is a parameter: nothing may be skipped as matching.
            # Scale-in protection is what busy machines have, and they are to finish.
            started = self._autoscaling.start_instance_refresh(
                AutoScalingGroupName=group,
                Strategy="Rolling",
                Preferences={
                    "MinHealthyPercentage": 50,
                    "SkipMatching": False,
                    "ScaleInProtectedInstances": "Wait",
                },
            )
            self._started[group] = started["InstanceRefreshId"]
            say(f"{group}: machines are being replaced ({self._started[group]})")

    def wait(self, seconds: float) -> None:
        deadline = self._clock.now() + seconds
        waiting = dict(self._started)
        while waiting:
            for group, refresh in list(waiting.items()):
                status = self._status(group, refresh)
                if status in _BAD:
                    raise DeliveryFailed(f"{group}: the replacement of machines is {status}.")
                if status in _DONE:
                    del waiting[group]
            if waiting and self._clock.now() >= deadline:
                raise DeliveryFailed(
                    f"{', '.join(waiting)}: machines were not replaced in {seconds:.0f} seconds."
                )
            if waiting:
                self._clock.pause(_LOOK_SECONDS)

    def _status(self, group: str, refresh: str) -> str:
        found = self._autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=group, InstanceRefreshIds=[refresh]
        )
        return str(found["InstanceRefreshes"][0]["Status"])

    def end(self, groups: Sequence[str]) -> None:
        """Ends what runs: a group has one replacement at a time."""
        for group in groups:
            try:
                ended = self._autoscaling.cancel_instance_refresh(AutoScalingGroupName=group)
            except self._autoscaling.exceptions.ActiveInstanceRefreshNotFoundFault:
                continue
            self._until_over(group, str(ended["InstanceRefreshId"]))

    def _until_over(self, group: str, refresh: str, seconds: float = 600.0) -> None:
        deadline = self._clock.now() + seconds
        while self._status(group, refresh) not in (*_DONE, *_BAD):
            if self._clock.now() >= deadline:
                raise DeliveryFailed(f"{group}: the replacement of machines did not end when told to.")
            self._clock.pause(_LOOK_SECONDS)
