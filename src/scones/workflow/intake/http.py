"""Arrivals over HTTP: `POST /arrivals`, `GET /arrivals/{task}/{depot}/{driver_id}/{arrival_id}`, `GET /healthz`."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scones.contracts import Arrival, parse
from scones.errors import MessageError, ObjectExists, ObjectMissing, PictureError, PictureTooLarge, SconesError
from scones.workflow.intake.admission import Admission
from scones.workflow.intake.desk import Desk, NoRoom, Receipt
from scones.workflow.intake.requests import arrival_named, key_named, kind_of_picture

__all__ = ["MOST_BYTES", "build_intake_app"]

MOST_BYTES: Final = 25_000_000
"""The largest picture that is taken, in bytes."""
_MOST_JSON_BYTES: Final = 262_144  # an event of EventBridge has 256 KB at most
_MOST_INSIDE: Final = 64
_PICTURES: Final = ("image/png", "image/jpeg", "image/webp")
_RETRY_SECONDS: Final = {False: "2", True: "10"}
_STATUS: Final[tuple[tuple[type[SconesError], int], ...]] = (
    (PictureTooLarge, 413),
    (PictureError, 400),
    (MessageError, 400),
    (ObjectMissing, 404),
    (ObjectExists, 409),
)
_log = logging.getLogger(__name__)


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def build_intake_app(
    desk: Desk,
    admission: Admission,
    *,
    defaults: Mapping[str, str],
    waiting: Callable[[], int] = lambda: 0,
    most_bytes: int = MOST_BYTES,
    body_seconds: float = 30.0,
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
) -> Starlette:
    """Put a desk behind HTTP.

    Args:
        desk: does what is asked.
        admission: of the same desk; says how much runs.
        defaults: task, depot and driver_id of a picture whose request names none.
        waiting: how many arrivals wait to be begun.
        most_bytes: the largest picture taken.
        body_seconds: how long a caller may take to send a body.
        new_id: makes ids of arrivals.
    """
    service = _Service(desk, admission, dict(defaults), waiting, most_bytes, body_seconds, new_id)
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
    admission: Admission
    defaults: Mapping[str, str]
    waiting: Callable[[], int]
    most_bytes: int
    body_seconds: float
    new_id: Callable[[], str]
    inside: int = 0
    """Requests whose bodies are held in memory. Only the event loop's thread touches it."""

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        stopping = self.admission.closed
        told = {
            "status": "stopping" if stopping else "ok",
            "running": self.admission.running,
            "queue": self.admission.most,
            "waiting": self.waiting(),
            "dead_letters": len(self.admission.letters),
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
        declared = request.headers.get("content-type", "")
        kind = declared.split(";", 1)[0].strip().lower()
        if kind != "application/json" and kind not in _PICTURES:
            taken = ", ".join((*_PICTURES, "application/json"))
            raise _Refused(415, f"content type {declared[:80]!r} is not taken: send one of {taken}")
        self.desk.check_room()
        if self.inside >= _MOST_INSIDE:
            raise NoRoom(f"{self.inside} requests are inside: send it again in a moment", stopping=False)
        self.inside += 1
        try:
            if kind == "application/json":
                body = await self._body(request, _MOST_JSON_BYTES)
                receipt = await run_in_threadpool(self.desk.take_object, key_named(body, self.admission.bucket))
            else:
                query = request.query_params.multi_items()
                arrival = arrival_named(query, request.headers, self.defaults, self.new_id())
                body = await self._body(request, self.most_bytes)
                receipt = await run_in_threadpool(self.desk.take_picture, arrival, body, kind_of_picture(body))
        finally:
            self.inside -= 1
        return _accepted(receipt)

    async def _body(self, request: Request, most: int) -> bytes:
        """The body, announced or chunked; it is not read on once it is too large."""
        too_large = PictureTooLarge(f"the body has more than the {most:,} bytes allowed: send a smaller one")
        if int(request.headers.get("content-length", 0)) > most:  # the parser lets only digits pass
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.body_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            seconds = self.body_seconds
            raise _Refused(408, f"the body did not arrive within {seconds:g} seconds: send it faster") from None
        return bytes(body)


def _accepted(receipt: Receipt) -> Response:
    url = f"/arrivals/{receipt.arrival}"
    told = {
        "arrival": receipt.arrival,
        "execution": receipt.execution,
        "status": receipt.status,
        "status_url": url,
    }
    return JSONResponse(told, 202, {"Location": url})


async def _answered(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        return await answer(request)
    except _Refused as refused:
        return _refusal(refused.status, MessageError.__name__, str(refused))
    except NoRoom as refused:
        name = "Stopping" if refused.stopping else "QueueFull"
        return _refusal(503, name, str(refused), _RETRY_SECONDS[refused.stopping])
    except SconesError as error:
        # the caller's fault, or a store or journal that may answer later
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
        return _refusal(status, type(error).__name__, str(error), _RETRY_SECONDS[True] if status == 503 else None)
    except ClientDisconnect:
        return Response(status_code=499)  # nobody reads it; the number is what access logs are used to
    except Exception:  # noqa: BLE001 - the caller gets an answer, the operator the traceback
        _log.exception("a request failed")
        return _refusal(500, SconesError.__name__, "the request failed: see the log of `scones run`")


def _refusal(status: int, name: str, message: str, retry_after: str | None = None) -> Response:
    headers = {"Retry-After": retry_after} if retry_after else None
    return JSONResponse({"error": name, "message": message}, status, headers)
