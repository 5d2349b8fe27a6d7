"""A load as it is sent: what counts, what does not, and that it always ends."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from scones.loadtest import Answer, Load, Sample, Target, encode_request, find_target, send_load

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[0.9, 0.1]"
Script = Callable[[Callable[[socket.socket], None]], Target]


def requests(target: Target, number: int = 3, size: int = 10) -> list[bytes]:
    return [encode_request(target, Sample(f"{one}", b"%d" % one * size, "image/png")) for one in range(number)]


def read_request(connection: socket.socket) -> bool:
    """Read a request with a short body; whether there was one."""
    try:
        return bool(connection.recv(65536))
    except OSError:
        return False


def test_callers_ask_again_and_again_with_each_picture_in_turn(server: str, asked: Any) -> None:
    target = find_target(server)
    answers: list[Answer] = []
    begun = time.monotonic()
    counts = send_load(target, requests(target), Load(0.3, 4), watch=answers.append)
    assert 0.3 <= time.monotonic() - begun < 5
    assert counts.statuses == {200: len(counts.latencies)} == {200: len(answers)}
    assert counts.errors == {}
    assert 0 < counts.inside <= len(answers)
    assert asked.bodies.total() == len(answers)
    assert max(asked.bodies.values()) - min(asked.bodies.values()) <= 1
    assert len(asked.bodies) == 3
    assert all(0 < one <= 5 for one in counts.latencies)
    assert answers[0].body == b"[0.9,0.1]"
    assert answers[0].header("x-model") == "m-1"
    assert answers[0].header("x-none") is None


def test_what_is_sent_before_a_load_has_settled_does_not_count(server: str, asked: Any) -> None:
    target = find_target(server)
    counts = send_load(target, requests(target), Load(0.3, 1, settle=0.2))
    assert 0 < len(counts.latencies) < asked.bodies.total()


def test_a_caller_that_is_refused_rests_as_long_as_it_is_told(server: str, asked: Any) -> None:
    target = find_target(f"{server}/busy")
    counts = send_load(target, requests(target), Load(0.3, 2, settle=0.2))
    assert counts.statuses == {503: 2}, "a refusal at the beginning counts, or the step would look whole"
    assert asked.bodies.total() == 2
    assert (len(counts.latencies), len(counts.refusals), counts.inside) == (0, 2, 0)


def test_a_caller_that_heeds_nothing_asks_at_once(server: str) -> None:
    target = find_target(f"{server}/busy")
    assert send_load(target, requests(target), Load(0.3, 2, heed=False)).statuses[503] > 2


def test_a_connection_that_is_closed_after_its_answer_is_made_anew_without_an_error(server: str) -> None:
    target = find_target(f"{server}/closing")
    counts = send_load(target, requests(target), Load(0.3, 2))
    assert len(counts.latencies) > 4
    assert counts.errors == {}


def test_requests_come_at_the_rate_asked_for_whether_others_were_answered_or_not(server: str, asked: Any) -> None:
    target = find_target(server)
    counts = send_load(target, requests(target), Load(1.0, 64, rate=200, seed=1))
    assert 150 < asked.bodies.total() < 250  # a Poisson number: three and a half deviations
    assert counts.statuses == {200: asked.bodies.total()}
    assert len(counts.late) == asked.bodies.total()


def test_the_same_seed_sends_at_the_same_times(server: str, asked: Any) -> None:
    target = find_target(server)
    send_load(target, requests(target), Load(0.2, 64, rate=200, seed=1))
    first = asked.bodies.total()
    send_load(target, requests(target), Load(0.2, 64, rate=200, seed=1))
    assert asked.bodies.total() == 2 * first


def test_a_wait_behind_slow_answers_is_told_in_the_open_loop_and_hidden_in_the_closed_one(scripted: Script) -> None:
    slow = threading.Event()  # never set: waiting for it is what takes time

    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            slow.wait(0.01)
            connection.sendall(ANSWER)

    target = scripted(talk)
    closed = send_load(target, requests(target), Load(0.3, 1))
    opened = send_load(target, requests(target), Load(0.2, 1, rate=500))
    assert statistics.median(closed.latencies) < 0.2  # each alone takes a hundredth of a second
    assert max(opened.latencies) > 0.5  # a hundred were due in 0.2 s and are answered in 1


def test_what_is_not_answered_in_time_is_an_error_and_the_load_ends(scripted: Script) -> None:
    def talk(connection: socket.socket) -> None:
        while read_request(connection):
            pass

    target = scripted(talk)
    begun = time.monotonic()
    counts = send_load(target, requests(target), Load(0.1, 1, timeout=0.3))
    assert time.monotonic() - begun < 5
    assert counts.errors["timeout"] + counts.unanswered == 1
    assert counts.statuses == {}


def test_nobody_who_listens_is_told_as_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    target = find_target(f"http://127.0.0.1:{port}")
    for load in (Load(0.15, 2), Load(0.15, 2, rate=50, seed=3)):
        counts = send_load(target, requests(target), load)
        assert counts.errors["refused"] >= 2
        assert counts.errors.keys() == {"refused"}


@pytest.mark.parametrize(
    ("said", "why"), [(b"", "closed"), (b"HTTP/1.1 200 OK\r\nContent-Le", "closed"), (b"SSH-2.0-x\r\n", "malformed")]
)
def test_an_answer_that_is_none_is_an_error(scripted: Script, said: bytes, why: str) -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)

    target = scripted(talk)
    counts = send_load(target, requests(target), Load(0.15, 1))
    assert counts.errors.keys() == {why}
    assert counts.statuses == {}


def test_a_hint_to_continue_is_no_answer_and_chunks_are_one(scripted: Script) -> None:
    hint = b"HTTP/1.1 100 Continue\r\n\r\n"
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n"
    parts = (hint, begin, b"2\r\n2]\r\n0\r\n\r\n")

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while read_request(connection):
            for part in parts:
                connection.sendall(part)

    target = scripted(talk)
    answers: list[Answer] = []
    counts = send_load(target, requests(target), Load(0.1, 1), watch=answers.append)
    assert counts.errors == {}
    assert {(one.status, one.body) for one in answers} == {(200, b"[1,2]")}


def test_a_picture_larger_than_any_buffer_is_sent_whole(server: str, asked: Any) -> None:
    target = find_target(server)
    counts = send_load(target, requests(target, number=1, size=8_000_000), Load(0.2, 2, timeout=20))
    assert counts.errors == {}
    assert asked.bodies.keys() == {b"0" * 8_000_000}


def test_a_refusal_before_all_was_sent_ends_the_connection_so_that_the_rest_is_no_request(scripted: Script) -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}"
    connections = []

    def talk(connection: socket.socket) -> None:
        connections.append(connection.recv(100))
        connection.sendall(refusal)
        while read_request(connection):  # until the caller closes
            pass

    target = scripted(talk)
    counts = send_load(target, requests(target, number=1, size=30_000_000), Load(0.2, 1))
    assert counts.statuses.keys() == {413}
    assert all(one.startswith(b"POST /invocations") for one in connections)
