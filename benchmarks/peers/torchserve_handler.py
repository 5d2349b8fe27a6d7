"""TorchServe's custom handler, as its documentation has it."""

from __future__ import annotations

import json
from typing import Any

from classify import Classify

model: Classify | None = None


def handle(data: list[dict[str, Any]] | None, context: Any) -> list[str] | None:  # noqa: ARG001 - TorchServe's signature
    global model  # noqa: PLW0603 - a worker has one model
    if data is None:
        model = Classify()
        return None
    model = model or Classify()
    pictures = [model.decode(bytes(one.get("body") or one["data"])) for one in data]
    return [json.dumps(row) for row in model.answer(pictures)]
