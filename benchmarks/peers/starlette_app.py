"""Bare Starlette: the least that an ASGI application can be."""

from __future__ import annotations

from classify import Classify
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

model = Classify()


async def invocations(request: Request) -> Response:
    return JSONResponse(model.answer([model.decode(await request.body())])[0])


app = Starlette(routes=[Route("/invocations", invocations, methods=["POST"])])
