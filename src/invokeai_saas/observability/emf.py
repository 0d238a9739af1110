"""Figures as log lines in CloudWatch's Embedded Metric Format, from which it makes metrics by itself.

The format: a JSON object whose `_aws` says which of its members are dimensions and which are figures. Names and
namespace are those that infra/terraform reads (dashboard, scaling by backlog); a test holds them together.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

import structlog

NAMESPACE = "InvokeAI"
TIER = "Tier"
JOB_SECONDS = "JobSeconds"
BACKLOG_SECONDS = "BacklogSeconds"
ACTIVE_USERS = "ActiveUsers"
IMAGES = "Images"
CREDITS_USED = "CreditsUsed"
MONTHLY_REVENUE = "MonthlyRecurringRevenue"
UNITS = {
    JOB_SECONDS: "Seconds",
    BACKLOG_SECONDS: "Seconds",
    ACTIVE_USERS: "Count",
    IMAGES: "Count",
    CREDITS_USED: "Count",
    MONTHLY_REVENUE: "None",  # US dollars
}


@dataclass(frozen=True)
class Figures:
    """Figures with the same dimensions.

    Parameters:
        values: by name, one of UNITS.
        dimensions: by name.
    """

    values: Mapping[str, float]
    dimensions: Mapping[str, str] = field(default_factory=dict)


def emf_line(milliseconds: int, *groups: Figures) -> str:
    """One log line.

    Parameters:
        milliseconds: since 1970, when it was so.
    """
    described = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [list(group.dimensions)],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in group.values],
        }
        for group in groups
    ]
    line: dict[str, object] = {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": described}}
    for group in groups:
        line |= {**group.dimensions, **group.values}
    return json.dumps(line)


def write_emf(*groups: Figures, stream: TextIO | None = None) -> None:
    """Writes a line about now, beside the logs: with their lock, so that lines of two threads stay apart."""
    structlog.PrintLogger(stream or sys.stderr).msg(emf_line(time.time_ns() // 1_000_000, *groups))
