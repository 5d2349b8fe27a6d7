"""FastAPI as people write it: an upload, a response model, and a session with its defaults."""

import io

import PIL.Image
from classify import Classify
from fastapi import FastAPI, Request

app = FastAPI()
model = Classify(threads=0)


async def invocations(request: Request) -> list[float]:
    picture = PIL.Image.open(io.BytesIO(await request.body()))
    return model.answer([model.pixels(picture)])[0]


app.add_api_route("/invocations", invocations, methods=["POST"])
