"""What goes over the wire to and from the endpoint, against golden files."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scones.serving import CaptureWriter
from scones.store import open_bucket

HERE = Path(__file__).parent
CASES = json.loads((HERE / "endpoint.json").read_text("utf-8"))


def _post(url: str, case: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
    body = b"" if case["body"] is None else (HERE / case["body"]).read_bytes()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request("POST", case["path"], body, case["headers"])
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_endpoint_answers_as_the_golden_file_says(start_endpoint: Callable[..., str], case: dict[str, Any]) -> None:
    url = start_endpoint(new_id=lambda: "event-1")
    response, body = _post(url, case)
    assert response.status == case["status"]
    assert json.loads(body) == case["answer"]
    assert {name: response.headers[name] for name in case["answer_headers"]} == case["answer_headers"]


def test_the_endpoint_captures_as_the_golden_file_says(start_endpoint: Callable[..., str], tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "scones")
    with CaptureWriter(bucket, "capture", "scones", "AllTraffic", new_id=lambda: "u") as writer:
        url = start_endpoint(
            capture=writer, new_id=lambda: "event-1", clock=lambda: datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
        )
        _post(url, CASES[0])
    written = bucket.get("capture/scones/AllTraffic/2026/11/20/10/14-51-000-u.jsonl")
    assert written == (HERE / "endpoint_capture.jsonl").read_bytes()
