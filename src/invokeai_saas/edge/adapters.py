"""Caches before the object store: CloudFront on AWS, none on one machine. One interface, one suite of tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from invokeai_saas.settings import Settings


class NotPurged(Exception):
    """The cache has not taken a purge, as far as we know: it may be sent again. The text is for operators."""


class EdgeCache(Protocol):
    """Forgets paths."""

    def purge(self, reference: str, paths: Sequence[str]) -> None:
        """Has paths forgotten everywhere; that takes the cache some moments after this returned.

        Parameters:
            reference: of this purge; the same one with the same paths is done once, however often it is sent.
            paths: as a cache sees them, quoted; one that ends in an asterisk means all that begin so.

        Raises:
            NotPurged: it was refused, or the cache cannot be reached.
        """

    def close(self) -> None:
        """Lets go of connections."""


class NoEdge:
    """One machine: the API serves files itself, to browsers alone, and keeps none."""

    def purge(self, reference: str, paths: Sequence[str]) -> None:
        del reference, paths

    def close(self) -> None:
        return


def open_edge(settings: Settings) -> EdgeCache:
    """CloudFront where CLOUDFRONT_DISTRIBUTION_ID names a distribution.

    Raises:
        SetupError: the library for it is not installed.
    """
    if settings.cloudfront_distribution_id:
        from invokeai_saas.edge.cloudfront import CloudFront

        return CloudFront(settings)
    return NoEdge()
