"""What is counted, and how it is told: read back by Prometheus' own parser."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from scones.serving.figures import EXPOSITION, Figures


def samples(text: str) -> dict[str, float]:
    """By name with its labels but that of the endpoint."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "endpoint"}
            assert sample.labels["endpoint"] == "bays"
            found[sample.name.removeprefix("scones_endpoint_") + "".join(f" {v}" for v in labels.values())] = (
                sample.value
            )
    return found


def test_rows_of_several_processes_are_added_up() -> None:
    figures = Figures(3)
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            row = figures.row(number)
            for _ in range(number + 1):
                row.add("requests_total", "200")
            row.set("inside", 2)
            row.observe("stage_seconds", 0.003, "decode")
            row.observe("stage_seconds", 99.0, "decode")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    found = samples(figures.exposition("bays", {"production": ("v1", 0.9)}))
    assert found["requests_total 200"] == 6
    assert found["inside"] == 6
    assert found["stage_seconds_bucket decode 0.0025"] == 0
    assert found["stage_seconds_bucket decode 0.005"] == 3
    assert found["stage_seconds_bucket decode +Inf"] == found["stage_seconds_count decode"] == 6
    assert found["stage_seconds_sum decode"] == 3 * 99.003
    assert found["model_threshold production v1"] == 0.9


def test_a_process_that_takes_a_row_over_keeps_its_counts_and_nothing_is_inside_it() -> None:
    figures = Figures(1)
    row = figures.row(0)
    row.add("requests_total", "200")
    row.set("inside", 5)
    row.busy(1.0)
    assert row.stuck_for(100.0) == 100.0
    row.begin(90.0)
    assert row.stuck_for(100.0) == 10.0
    found = samples(figures.exposition("bays", {}))
    assert (found["requests_total 200"], found["inside"]) == (1, 0)


def test_an_endpoint_tells_what_it_did(
    start_endpoint: Callable[..., str], send: Callable[..., Any], png_bytes: Callable[..., bytes]
) -> None:
    url = start_endpoint(endpoint="bays", threshold=0.75)
    for body in (png_bytes(), png_bytes(), b"no picture"):
        send(url, "/invocations", body)
    send(url, "/endpoints/other/invocations", png_bytes())
    send(url, "/elsewhere")
    reply = send(url, "/metrics", method="GET")
    assert (reply.status, reply.headers["content-type"]) == (200, EXPOSITION)
    found = samples(reply.body.decode())
    assert {code: found[f"requests_total {code}"] for code in (200, 400, 404, 503)} == {200: 2, 400: 2, 404: 1, 503: 0}
    assert found["answers_total production"] == found["batch_pictures_sum"] == found["stage_seconds_count encode"] == 2
    assert found["stage_seconds_count wait"] == 3
    assert found["model_threshold production tiny-1"] == 0.75
    assert json.loads(send(url, "/metrics").body)["message"].startswith("POST /metrics: Method Not Allowed")
