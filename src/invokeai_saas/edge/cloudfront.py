"""Amazon CloudFront: a purge is an invalidation (CreateInvalidation, version 2020-05-31 of its API)."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_saas.aws import aws_client, aws_code, aws_errors
from invokeai_saas.edge.adapters import NotPurged
from invokeai_saas.settings import Settings


class CloudFront:
    """The settings' distribution. It is asked once a call: what is refused waits where it is written down."""

    def __init__(self, settings: Settings) -> None:
        self._distribution = settings.cloudfront_distribution_id
        self._client = aws_client("cloudfront", settings, seconds=20.0, tries=1)

    def purge(self, reference: str, paths: Sequence[str]) -> None:
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
        try:
            self._client.create_invalidation(DistributionId=self._distribution, InvalidationBatch=batch)
        except aws_errors() as error:
            raise NotPurged(aws_code(error)) from error

    def close(self) -> None:
        self._client.close()
