"""The application on one machine: its state machines and functions on the embedded engine."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import urllib3

from scones.errors import EndpointBusy
from scones.functions.classify_image import classify_image
from scones.functions.filter_inferences import filter_inferences
from scones.functions.route_driver import route_driver
from scones.functions.runtime import Runtime
from scones.functions.serialize_image import serialize_image
from scones.settings import Settings
from scones.workflow.definitions import MACHINES, definition, substitutions
from scones.workflow.engine import Clock, Engine, Event, Json, Listed, Publish, SystemClock, load
from scones.workflow.reviews import Answers

__all__ = ["Function", "check_endpoint", "on_this_machine", "open_engine"]

Function: TypeAlias = Callable[[Any, Any], Any]
"""A Lambda handler: event and context in, an answer of JSON out."""

_LOCAL_ENDPOINT = "http://127.0.0.1:8080"
"""Where `scones serve` answers when nothing else is said."""
_LOGGER = logging.getLogger(__name__)


def on_this_machine(settings: Settings) -> Settings:
    """The settings with the endpoint of `scones serve` where they name none."""
    if settings.endpoint_url is not None:
        return settings
    return settings.model_copy(update={"endpoint_url": _LOCAL_ENDPOINT})


def _local_functions(runtime: Runtime) -> dict[str, Function]:
    """The functions as the engine calls them, with Lambda's signature."""

    return {
        "serialize_image": lambda event, _: serialize_image(event, runtime),
        "classify_image": lambda event, _: classify_image(event, runtime),
        "filter_inferences": lambda event, _: filter_inferences(event),
        "route_driver": lambda event, _: route_driver(event, runtime),
    }


class _Objects:
    """The store as the engine's object store."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def get(self, bucket: str, key: str) -> bytes:
        return self._runtime.bucket(bucket).get(key)

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._runtime.bucket(bucket).put(key, body)

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        for one in self._runtime.bucket(bucket).entries(prefix):
            yield Listed(one.key, one.size, one.modified, one.etag)


def _log(message: Mapping[str, Json]) -> str:
    """Stand in for a topic: on one machine the engine's events tell people (:mod:`scones.notifications`)."""
    _LOGGER.debug("published to %s: %s", message["TopicArn"], message["Message"])
    return str(uuid.uuid4())


def open_engine(
    settings: Settings,
    *,
    clock: Clock | None = None,
    concurrency: int = 8,
    on_event: Callable[[Event], None] | None = None,
    functions: Mapping[str, Function] | None = None,
    publish: Publish = _log,
) -> Engine:
    """Open the engine with the application's machines and functions; what was interrupted goes on.

    Args:
        settings: store, bucket, journal, endpoint.
        clock: the time of day, for the engine and the functions.
        concurrency: how many states run at the same time.
        on_event: told of every event after it was journaled, from several threads.
        functions: take the place of the application's own, by name.
        publish: gets what the machines publish to the topic, and answers an id; by default it is only logged, as the
            events tell of the same.

    Raises:
        DefinitionError: a machine's definition is wrong.
        JournalError: the journal cannot be used.
        StoreError: the store does not answer, and reviews wait that may have been answered.
    """
    clock = clock or SystemClock()
    runtime = Runtime(settings, clock.now)
    names = substitutions(settings)
    return Engine(
        settings.journal,
        {name: load(definition(name), names, source=f"{name}.asl.json") for name in MACHINES},
        {**_local_functions(runtime), **(functions or {})},
        _Objects(runtime),
        publish,
        clock=clock,
        concurrency=concurrency,
        on_event=on_event,
        # what people said while no engine ran counts before their time is over
        first=lambda engine: Answers(engine, runtime.home).deliver(),
    )


def check_endpoint(settings: Settings) -> None:
    """See whether the endpoint answers before work is sent to it.

    Raises:
        EndpointBusy: nothing answers at ``endpoint_url``.
    """
    if settings.endpoint_url is None:  # AWS's own: SageMaker has no ping to call
        return
    try:
        url = f"{settings.endpoint_url.rstrip('/')}/ping"
        status = urllib3.request("GET", url, retries=False, timeout=3.0).status
    except urllib3.exceptions.HTTPError as error:
        raise EndpointBusy(
            f"no endpoint answers at {settings.endpoint_url}: start one with `scones serve`, "
            "or say where it is with --endpoint-url"
        ) from error
    if status != 200:
        raise EndpointBusy(f"the endpoint at {settings.endpoint_url} is not ready (status {status}): try again")
