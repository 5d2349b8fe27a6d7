"""The accuracy by what people said of audited pictures, asked for again only when they may have said more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from scones.monitoring.watch.audit import reviewed
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from scones.monitoring.watch.records import Estimate
    from scones.monitoring.watch.window import Window

__all__ = ["Judged"]

_OFTEN: Final = timedelta(minutes=10)
"""How far apart all answers are read, as reviews may hold some for pictures of an audit: there are many."""


class Judged:
    """Keeps the estimate of an endpoint.

    Args:
        bucket: of the audits.
        endpoint: whose.
    """

    def __init__(self, bucket: Bucket, endpoint: str) -> None:
        self._bucket, self._endpoint = bucket, endpoint
        self._known: tuple[object, Estimate | None] | None = None
        self._read = datetime.min.replace(tzinfo=UTC)

    def estimate(self, version: str, window: Window, now: datetime) -> Estimate | None:
        """The estimate by the newest audit of the model that some of the latest pictures were in; None without one.

        Args:
            version: of the model.
            window: the latest pictures.
            now: with time zone.

        Raises:
            StoreError: the store does not answer.
        """
        audits = list(self._bucket.list(Layout.audit(self._endpoint)))
        if not audits or not len(window):
            return None
        key = (version, audits, list(self._bucket.list(Layout.ground_truth(self._endpoint))))
        if self._known is None or self._known[0] != key or not timedelta(0) <= now - self._read < _OFTEN:
            since = datetime.fromtimestamp(float(window.times.min()), UTC)
            self._known = key, reviewed(self._bucket, self._endpoint, version, since)
            self._read = now
        return self._known[1]
