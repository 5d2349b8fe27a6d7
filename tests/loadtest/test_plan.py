from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scones.errors import EndpointBusy, EndpointError, EndpointRejected, SettingsError
from scones.loadtest import Generator, Plan, Rate, Sample, Step, ask_once, encode_request, find_target, load_page, sweep

PICTURE = Sample("a.png", b"a", "image/png")


def test_a_sweep_measures_each_step_finds_the_knee_and_then_rates_of_it(server: str) -> None:
    target = find_target(server)
    seen: list[Step] = []
    with Generator(target, [encode_request(target, PICTURE)]) as generator:
        plan = Plan((1, 2), (Rate(0.5, of_knee=True), Rate(50)), seconds=0.3, limit_ms=10_000)
        curve = sweep(generator, plan, report=seen.append)
    assert [step.connections for step in curve.steps] == [1, 2]
    assert curve.knee is not None
    assert curve.knee.throughput == max(step.throughput for step in curve.steps)
    assert [step.rate for step in curve.open_steps] == [pytest.approx(curve.knee.throughput / 2), 50]
    assert seen == [*curve.steps, *curve.open_steps]
    page = load_page(curve, url=server, pictures="1 picture", at=datetime(2026, 11, 20, tzinfo=UTC), expected=100)
    assert "What the endpoint can take" in page
    assert "At a given rate" in page
    assert "InvocationsPerInstance" in page


def test_an_endpoint_that_refuses_all_is_told_and_not_measured_further(server: str) -> None:
    target = find_target(f"{server}/busy")
    refused = pytest.raises(EndpointBusy, match=r"refused every request \(503\)")
    with Generator(target, [encode_request(target, PICTURE)]) as generator, refused:
        sweep(generator, Plan((1, 2), (), seconds=0.2))


def test_an_endpoint_that_goes_away_is_told(scripted: Callable[..., Any]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)

    target = scripted(talk)
    gone = pytest.raises(EndpointError, match=r"no request of 1 callers was answered \(\d+ closed\)")
    with Generator(target, [encode_request(target, PICTURE)]) as generator, gone:
        sweep(generator, Plan((1, 2), (), seconds=0.2))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"connections": ()}, "must ascend"),
        ({"connections": (2, 1)}, "must ascend"),
        ({"connections": (1, 1)}, "must ascend"),
        ({"connections": (0, 1)}, "must be from 1 to 4096"),
        ({"connections": (1, 5000)}, "must be from 1 to 4096"),
        ({"rates": (Rate(0.0),)}, "must be more than 0"),
        ({"seconds": 100.0}, "11 steps of 100 seconds take 1,100 seconds, more than 900"),
    ],
)
def test_a_plan_that_cannot_be_or_would_take_too_long_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        Plan(**wrong)


def test_every_picture_is_asked_once_before_a_load(server: str, asked: Any) -> None:
    ask_once(find_target(server), [PICTURE, Sample("b.png", b"b", "image/png")])
    assert asked.bodies == {b"a": 1, b"b": 1}


def test_a_picture_that_is_not_answered_is_named_with_the_answer(server: str) -> None:
    with pytest.raises(EndpointBusy, match=r"/busy answers a\.png with status 503, not 200: .*EndpointBusy"):
        ask_once(find_target(f"{server}/busy"), [PICTURE])
    with pytest.raises(EndpointRejected, match="with status 404"):
        ask_once(find_target(f"{server}/none"), [PICTURE])


def test_an_address_where_nobody_answers_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EndpointError, match=r"nobody answers at http://127.* \(Connection refused\): start one"):
        ask_once(find_target(f"http://127.0.0.1:{port}"), [PICTURE])
