"""Arrivals over HTTP: `POST /arrivals`, `GET /arrivals/{task}/{depot}/{driver_id}/{arrival_id}`, `GET /healthz`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scones.contracts import PICTURE_TYPES, Arrival, parse
from scones.errors import MessageError, ObjectMissing, SconesError
from scones.picture import MAX_BYTES
from scones.serving.intake import content_type
from scones.serving.refusal import Refusal, container_reply
from scones.workflow.intake.body import read_body
from scones.workflow.intake.desk import Desk, NoRoom, Receipt
from scones.workflow.intake.requests import arrival_named, key_named, kind_of_picture

__all__ = ["build_intake_app"]

_MOST_JSON_BYTES: Final = 262_144  # an event of EventBridge has 256 KB at most
_MOST_INSIDE: Final = 64
_JSON: Final = "application/json"
_TAKEN: Final = (*dict.fromkeys(PICTURE_TYPES.values()), _JSON)
_RETRY_SECONDS: Final = {False: 2, True: 10}  # by whether it is stopping
_log = logging.getLogger(__name__)


def build_intake_app(
    desk: Desk,
    *,
    waiting: Callable[[], int] = lambda: 0,
    most_bytes: int = MAX_BYTES,
    body_seconds: float = 30.0,
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
) -> Starlette:
    """Put a desk behind HTTP.

    Args:
        desk: does what is asked.
        waiting: how many arrivals wait to be begun.
        most_bytes: the largest picture taken.
        body_seconds: how long a caller may take to send a body.
        new_id: makes ids of arrivals.
    """
    service = _Service(desk, waiting, most_bytes, body_seconds, new_id)
    routes = [
        Route("/arrivals", service.post, methods=["POST"]),
        Route("/arrivals/{task}/{depot}/{driver_id}/{arrival_id}", service.get, methods=["GET"]),
        Route("/healthz", service.health, methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_such_thing})


async def _no_such_thing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    use = "use POST /arrivals, GET /arrivals/{task}/{depot}/{driver_id}/{arrival_id} or GET /healthz"
    message = f"{request.method} {request.url.path[:200]}: {error.detail}; {use}"
    return JSONResponse({"error": SconesError.__name__, "message": message}, error.status_code, error.headers)


@dataclass
class _Service:
    desk: Desk
    waiting: Callable[[], int]
    most_bytes: int
    body_seconds: float
    new_id: Callable[[], str]
    inside: int = 0
    """Requests whose bodies are held in memory. Only the event loop's thread touches it."""

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        admission = self.desk.admission
        stopping = admission.closed
        told = {
            "status": "stopping" if stopping else "ok",
            "running": admission.running,
            "queue": admission.most,
            "waiting": self.waiting(),
            "dead_letters": len(admission.letters),
        }
        return JSONResponse(told, 503 if stopping else 200)

    async def post(self, request: Request) -> Response:
        return await _answered(request, self._post)

    async def get(self, request: Request) -> Response:
        return await _answered(request, self._get)

    async def _get(self, request: Request) -> Response:
        arrival = parse(Arrival, request.path_params, "the arrival")
        found = await run_in_threadpool(self.desk.describe, arrival)
        if found is None:
            raise ObjectMissing(f"no arrival {arrival.path}: nothing of that name came in")
        return JSONResponse(found)

    async def _post(self, request: Request) -> Response:
        kind = content_type(request.headers, _TAKEN, error=MessageError)
        self.desk.check_room()
        if self.inside >= _MOST_INSIDE:
            raise NoRoom(f"{self.inside} requests are inside: send it again in a moment", stopping=False)
        self.inside += 1
        try:
            if kind == _JSON:
                body = await self._read(request, _MOST_JSON_BYTES)
                receipt = await run_in_threadpool(self.desk.take_object, key_named(body, self.desk.admission.bucket))
            else:
                query = request.query_params.multi_items()
                arrival = arrival_named(query, request.headers, self.desk.defaults, self.new_id())
                body = await self._read(request, self.most_bytes)
                receipt = await run_in_threadpool(self.desk.take_picture, arrival, body, kind_of_picture(body))
        finally:
            self.inside -= 1
        return _accepted(receipt)

    async def _read(self, request: Request, most: int) -> bytes:
        return await read_body(request, max_bytes=most, seconds=self.body_seconds)


def _accepted(receipt: Receipt) -> Response:
    url = f"/arrivals/{receipt.arrival}"
    told = {
        "arrival": receipt.arrival,
        "execution": receipt.execution,
        "status": receipt.status,
        "status_url": url,
    }
    return JSONResponse(told, 202, {"Location": url})


def _refused(refusal: Refusal) -> Response:
    reply = container_reply(refusal)
    return Response(reply.body, reply.status, dict(reply.headers), reply.content_type)


async def _answered(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        return await answer(request)
    except Refusal as refusal:
        return _refused(refusal)
    except NoRoom as none:
        name = "Stopping" if none.stopping else "QueueFull"
        return _refused(Refusal(503, name, str(none), retry_after=_RETRY_SECONDS[none.stopping]))
    except SconesError as error:
        # the caller's fault, or a store or journal that may answer later
        return _refused(Refusal.of(error, otherwise=503, retry_after=_RETRY_SECONDS[True]))
    except ClientDisconnect:
        return Response(status_code=499)  # nobody reads it; the number is what access logs are used to
    except Exception:  # noqa: BLE001 - the caller gets an answer, the operator the traceback
        _log.exception("a request failed")
        return _refused(Refusal(500, SconesError.__name__, "the request failed: see the log of `scones run`"))
