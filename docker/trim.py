"""Takes out of an environment what the service never reads: what boto3 knows of the hundreds of AWS services that are
not called here. That leaves room for what is.

    python docker/trim.py SITE_PACKAGES
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

CALLED = frozenset({"cloudfront", "cognito-idp", "secretsmanager", "sesv2", "sqs"})


def trim(site: Path) -> None:
    """Removes descriptions of other services. Parameters: site: the environment's `site-packages`."""
    for library, folder in (("botocore", "data"), ("boto3", "data")):
        for service in (site / library / folder).iterdir():
            if service.is_dir() and service.name not in CALLED:
                shutil.rmtree(service)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
