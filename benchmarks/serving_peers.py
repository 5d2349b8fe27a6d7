"""Other servers with the same model and the same decoding, as their documentation says to write them.

As a script: `serving_peers.py NAME PORT MODEL` serves until it is told to stop. Names: `starlette`, a bare Starlette
on uvicorn with a worker for each core; `litserve`, `bentoml`: installed from the extra `peers`, or left out.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NAMES = ("starlette", "litserve", "bentoml")


def reason(name: str) -> str:
    """Why a peer cannot be measured here; empty where it can."""
    return "" if importlib.util.find_spec(name) else f"{name} is not installed: it is in the dependency group `peers`"


def load() -> Any:
    """What every peer does with a picture: the very functions that the endpoint calls."""
    from scones.classifier import Classifier

    return Classifier.load(os.environ["PEER_MODEL"])


def starlette_app() -> Any:
    """A handler that classifies where it stands, as most are written."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    classifier = load()

    async def invocations(request: Request) -> JSONResponse:
        return JSONResponse(classifier.classify([await request.body()])[0])

    return Starlette(routes=[Route("/invocations", invocations, methods=["POST"])])


def serve_starlette(port: int, cores: int) -> None:
    import uvicorn

    uvicorn.run(
        "serving_peers:starlette_app", factory=True, port=port, workers=cores, http="httptools", loop="auto",
        log_level="error", access_log=False, app_dir=str(Path(__file__).parent),
    )  # fmt: skip


LITSERVE = """
import json
import sys
from typing import Annotated
import litserve
from fastapi import Body, Response
sys.path.insert(0, {home!r})
import serving_peers

class Api(litserve.LitAPI):
    def setup(self, device):
        self.classifier = serving_peers.load()

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/png")]):
        return request

    def predict(self, picture):
        return self.classifier.classify([picture])[0]

    def encode_response(self, output):
        return Response(json.dumps(output), media_type="application/json")

if __name__ == "__main__":
    api = Api(api_path="/invocations", enable_async=False)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device={cores}, timeout=60)
    server.run(port={port}, num_api_servers={cores}, generate_client_file=False, log_level="error")
"""
BENTO = """
import sys
from typing import Annotated
import bentoml
from bentoml.validators import ContentType
sys.path.insert(0, {home!r})
import serving_peers

@bentoml.service(workers={cores}, traffic={{"timeout": 60}}, logging={{"access": {{"enabled": False}}}})
class Classify:
    def __init__(self) -> None:
        self.classifier = serving_peers.load()

    @bentoml.api(route="/invocations")
    def classify(self, picture: Annotated[bytes, ContentType("image/png")], /) -> list[float]:
        return self.classifier.classify([picture])[0]
"""


def serve_written(service: str, command: list[str], port: int, cores: int) -> None:
    """Run a program that is written for it: these servers start processes that import it anew."""
    with tempfile.TemporaryDirectory() as folder:
        text = service.format(home=str(Path(__file__).parent), cores=cores, port=port)
        Path(folder, "service.py").write_text(text)
        subprocess.run([sys.executable, *command], cwd=folder, check=False)


def main() -> None:
    name, port, model = sys.argv[1:]
    os.environ["PEER_MODEL"] = model
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    cores = len(os.sched_getaffinity(0))
    if name == "starlette":
        serve_starlette(int(port), cores)
    elif name == "litserve":
        serve_written(LITSERVE, ["service.py"], int(port), cores)
    else:
        serve_written(BENTO, ["-m", "bentoml", "serve", "service:Classify", "--port", port], int(port), cores)


if __name__ == "__main__":
    main()
