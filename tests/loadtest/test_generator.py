from __future__ import annotations

from typing import Any

import pytest

from scones.errors import EndpointError
from scones.loadtest import Generator, Load, Sample, encode_request, find_target


def test_processes_share_a_load_and_their_figures_are_one(server: str, asked: Any) -> None:
    target = find_target(server)
    with Generator(target, [encode_request(target, Sample("a", b"a", "image/png"))], processes=2) as generator:
        closed = generator.send(Load(0.3, 3, settle=0.1))
        assert closed.clean
        assert closed.latency is not None
        assert closed.seconds == pytest.approx(0.2)
        assert 0 < closed.latency.n < asked.bodies.total()
        assert closed.throughput == pytest.approx(closed.latency.n / 0.2, rel=0.5)
        asked.bodies.clear()
        opened = generator.send(Load(0.5, 64, rate=200))
        assert opened.statuses == {200: asked.bodies.total()}
        assert 60 < asked.bodies.total() < 140
        assert opened.late_p99_ms is not None


def test_a_load_is_shared_out_so_that_every_process_has_some_and_none_sends_what_another_does() -> None:
    parts = [Load(1.0, 7, rate=90.0, seed=5).part(number, 3) for number in range(3)]
    assert [part.connections for part in parts] == [3, 2, 2]
    assert [part.rate for part in parts] == [30.0] * 3
    assert len({part.seed for part in parts}) == 3


def test_a_process_that_dies_is_an_error_and_no_wait_for_ever(server: str) -> None:
    target = find_target(server)
    with Generator(target, [encode_request(target, Sample("a", b"a", "image/png"))]) as generator:
        generator._processes[0].kill()
        generator._processes[0].join()
        with pytest.raises(EndpointError, match="a process that sends the load ended"):
            generator.send(Load(0.2, 1))
