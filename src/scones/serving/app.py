"""The endpoint as an ASGI application: SageMaker's container contract, and the path of its runtime."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scones.capture import CaptureRecord
from scones.contracts import Answer
from scones.errors import BundleError, EndpointBusy, EndpointError, PictureError, SconesError, SettingsError
from scones.machine import available_cores
from scones.picture import MAX_BYTES
from scones.serving.intake import content_type, inference_id, read_body
from scones.serving.refusal import VALIDATION_ERROR, Refusal, container_response, runtime_response

if TYPE_CHECKING:
    from scones.classifier import Classifier
    from scones.serving.capture_writer import CaptureWriter

__all__ = ["VARIANT", "build_app"]

VARIANT = "AllTraffic"
"""The production variant's name, as SageMaker calls one that stands alone."""

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("scones.serving.access")
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")  # SageMaker's own rule for endpoints and variants


def _utc_now() -> datetime:
    return datetime.now(UTC)


def build_app(
    classifier: Classifier,
    *,
    endpoint: str,
    variant: str = VARIANT,
    threshold: float,
    capture: CaptureWriter | None = None,
    workers: int | None = None,
    max_queue: int = 64,
    max_bytes: int = MAX_BYTES,
    body_seconds: float = 30.0,
    access_log: bool = False,
    clock: Callable[[], datetime] = _utc_now,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Starlette:
    """Put a classifier behind HTTP.

    The model answers a warm-up before this returns, so that an endpoint that can be reached is ready.

    ``GET /ping`` is answered at once, however busy the model is. ``POST /invocations`` and
    ``POST /endpoints/{name}/invocations`` take a picture and answer the list of probabilities. Pictures
    are decoded and classified in a pool of threads.

    Args:
        classifier: the model.
        endpoint, variant: names: letters, digits and ``-``, at most 63.
        threshold: the least confidence at which the model decides alone, 0 to 1; told with each answer.
        capture: where answers are recorded; the caller closes it after the server has ended.
        workers: threads that decode and classify; default: one for each core of this process.
        max_queue: the most requests inside, being received, waiting or computed; one more gets a 503.
        max_bytes: the largest body taken.
        body_seconds: how long a caller may take to send a body.
        access_log: log each request as a line of JSON to the logger ``scones.serving.access``.
        clock: tells the time, with time zone.
        new_id: makes ids of requests.

    Raises:
        BundleError: the model does not answer as its bundle says.
        SettingsError: a name or a number is not valid.
    """
    for what, name in (("endpoint", endpoint), ("variant", variant)):
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{what} {name!r} is no name: use letters, digits and '-', at most 63")
    if max_queue < 1 or (workers is not None and workers < 1):
        raise SettingsError(f"max_queue {max_queue} and workers {workers} must be at least 1")
    _warm_up(classifier)
    service = _Endpoint(
        classifier=classifier,
        endpoint=endpoint,
        variant=variant,
        threshold=threshold,
        capture=capture,
        pool=ThreadPoolExecutor(workers or available_cores(), thread_name_prefix="classify"),
        max_queue=max_queue,
        max_bytes=max_bytes,
        body_seconds=body_seconds,
        access_log=access_log,
        clock=clock,
        new_id=new_id,
    )
    routes = [
        Route("/ping", service.ping, methods=["GET"]),
        Route("/invocations", service.invocations, methods=["POST"]),
        Route("/endpoints/{name}/invocations", service.runtime_invocations, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_such_thing}, lifespan=service.lifespan)


def _warm_up(classifier: Classifier) -> None:
    """Let the model answer once: the first run allocates, and shows a graph that does not fit its bundle."""
    info = classifier.info
    shape = (1, info.input_size, info.input_size, 3)
    try:
        probabilities, _ = classifier.predict(np.zeros(shape, np.uint8))
    except Exception as error:  # onnxruntime's own exceptions share no base of their own
        raise BundleError(f"model {info.version} does not take a picture of {shape}: {error}") from error
    if probabilities.shape != (1, len(info.labels)) or not np.isfinite(probabilities).all():
        raise BundleError(
            f"model {info.version} answers {probabilities.tolist()} for its {len(info.labels)} labels: train it again"
        )


async def _no_such_thing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}; use GET /ping or POST /invocations"
    return JSONResponse({"error": EndpointError.__name__, "message": message}, error.status_code, error.headers)


@dataclass
class _Endpoint:
    """The routes' functions and what they share; the fields are the arguments of :func:`build_app`."""

    classifier: Classifier
    endpoint: str
    variant: str
    threshold: float
    capture: CaptureWriter | None
    pool: ThreadPoolExecutor
    max_queue: int
    max_bytes: int
    body_seconds: float
    access_log: bool
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    inside: int = 0
    """Requests being received, waiting or computed. Only the event loop's thread touches it."""

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:  # noqa: ARG002 - Starlette's signature
        yield
        # all is answered or given up; what still computes is not waited for
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def ping(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        return Response()

    async def invocations(self, request: Request) -> Response:
        return await self._respond(request, container_response)

    async def runtime_invocations(self, request: Request) -> Response:
        return await self._respond(request, runtime_response)

    async def _respond(self, request: Request, refuse: Callable[[Refusal], Response]) -> Response:
        event_id = self.new_id()
        started = self.clock()
        try:
            response = await self._answer(request, event_id)
        except Refusal as refusal:
            response = refuse(refusal)
        except SconesError as error:
            response = refuse(Refusal.of(error))
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it; the number is what access logs are used to
        except Exception:  # noqa: BLE001 - the caller gets an answer of the agreed shape, the operator the traceback
            _log.exception("request %s failed", event_id)
            message = f"request {event_id} failed: see the endpoint's log"
            response = refuse(Refusal(500, EndpointError.__name__, message))
        if self.access_log:
            ms = round((self.clock() - started).total_seconds() * 1000, 3)
            line = {"event_id": event_id, "path": request.url.path, "status": response.status_code, "ms": ms}
            _access_log.info(json.dumps(line))
        return response

    async def _answer(self, request: Request, event_id: str) -> Response:
        self._check_target(request)
        kind = content_type(request.headers)
        given_id = inference_id(request.headers)
        if self.inside >= self.max_queue:
            raise EndpointBusy(f"endpoint {self.endpoint} is busy with {self.inside} requests: try again in a second")
        self.inside += 1
        try:
            picture = await read_body(request, max_bytes=self.max_bytes, seconds=self.body_seconds)
            if not picture:
                raise PictureError("the body is empty (0 bytes): send the bytes of a PNG, JPEG or WebP file")
            probabilities = await self._classify(request, picture)
        finally:
            self.inside -= 1
        info = self.classifier.info
        answer = Answer(
            model_version=info.version,
            threshold=self.threshold,
            inference_id=given_id or event_id,
            labels=info.labels,
            task=info.task,
        )
        if self.capture is not None:
            self.capture.add(self._record(event_id, answer, probabilities, kind, picture))
        headers = {
            "X-Amzn-SageMaker-Custom-Attributes": answer.header(),
            "X-Amzn-Invoked-Production-Variant": self.variant,
        }
        return JSONResponse(probabilities, headers=headers)

    def _check_target(self, request: Request) -> None:
        name = request.path_params.get("name", self.endpoint)
        if name != self.endpoint:
            raise Refusal(400, VALIDATION_ERROR, f"Endpoint {name} not found: this one is named {self.endpoint}")
        variant = request.headers.get("x-amzn-sagemaker-target-variant", self.variant)
        if variant != self.variant:
            raise Refusal(
                400, VALIDATION_ERROR, f"Variant {variant[:63]} not found: endpoint {name} has {self.variant} alone"
            )

    async def _classify(self, request: Request, picture: bytes) -> list[float]:
        """Classify in the pool; a request whose caller goes away while it waits there is not computed.

        Raises:
            PictureError: it is no picture.
            ClientDisconnect: the caller went away.
        """
        queued = self.pool.submit(self.classifier.classify, [picture])
        answer = asyncio.wrap_future(queued)
        gone = asyncio.ensure_future(request.receive())  # after the body, all that can come is the disconnect
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientDisconnect
            return answer.result()[0]
        finally:
            gone.cancel()
            queued.cancel()

    def _record(
        self, event_id: str, answer: Answer, probabilities: list[float], kind: str, picture: bytes
    ) -> CaptureRecord:
        return CaptureRecord(
            event_id=event_id,
            inference_id=answer.inference_id,
            time=self.clock(),
            probabilities=tuple(probabilities),
            content_type=kind,
            picture=picture,
            attributes={
                "model_version": answer.model_version,
                "threshold": repr(answer.threshold),
                "labels": ",".join(answer.labels),
            },
        )
