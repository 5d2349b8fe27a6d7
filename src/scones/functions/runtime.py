"""What a function stands on: settings, a clock, buckets."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import TYPE_CHECKING

from scones.settings import Settings
from scones.store import Bucket, open_bucket
from scones.task import load_task

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

__all__ = ["Runtime", "default_runtime"]


class Runtime:
    """Given to each function by whoever calls it.

    Args:
        settings: the settings.
        clock: POSIX seconds.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self._buckets: dict[str, Bucket] = {}

    def bucket(self, name: str) -> Bucket:
        """Open a bucket once."""
        if name not in self._buckets:
            self._buckets[name] = open_bucket(self.settings.store, name, make=name == self.settings.bucket)
        return self._buckets[name]

    @cached_property
    def task(self) -> str:
        """The name of the task of arrivals whose key names none."""
        return load_task(self.settings.task).name

    @cached_property
    def home(self) -> Bucket:
        """The bucket of the system's own records."""
        return self.bucket(self.settings.bucket)

    @cached_property
    def endpoint(self) -> SageMakerRuntimeClient:
        """The endpoint's client; only a function that asks for it loads boto3's machinery."""
        from scones.functions.endpoint import endpoint_client

        return endpoint_client(self.settings)


@cache
def default_runtime() -> Runtime:
    """The runtime of a Lambda function: settings from its environment, kept between calls."""
    return Runtime(Settings.load())
