"""An endpoint in this process: how it ends, how it batches, and that an answer never hangs on who else asks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms, background_endpoint

from .conftest import GatedClassifier, post, replies

Send = Callable[..., Any]
Png = Callable[..., bytes]
Draw = Callable[..., bytes]
Connect = Callable[[str], socket.socket]


def endpoint(classifier: Classifier, *, batch: int = 1, **terms: Any) -> Endpoint:
    return Endpoint(Lineup(Slot(VARIANT, classifier, 0.9, batch)), Terms("scones", **terms))


def accepts(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5).close()
    except OSError:
        return False
    return True


def test_at_the_end_what_is_new_is_refused_and_what_is_inside_is_answered(
    gated: GatedClassifier, send: Send, png_bytes: Png, connect: Connect, wait_until: Callable[..., None]
) -> None:
    served = endpoint(gated)
    with ThreadPoolExecutor() as callers, background_endpoint(served) as url:
        idle = connect(url)
        idle.sendall(b"GET /ping HTTP/1.1\r\nHost: here\r\n\r\n")
        assert replies(idle)[0][0] == 200
        waiting = [callers.submit(send, url, "/invocations", png_bytes()) for _ in range(3)]
        assert gated.arrived.acquire(timeout=20)
        wait_until(lambda: b'inside{endpoint="scones"} 3' in send(url, "/metrics", method="GET").body)
        served.stop(20)
        wait_until(lambda: not accepts(url))
        assert idle.recv(100) == b"", "who asks nothing is let go"
        gated.gate.set()
        found = [future.result() for future in waiting]
    assert [reply.status for reply in found] == [200] * 3
    assert {reply.headers["connection"] for reply in found} == {"close"}


def test_a_model_that_hangs_does_not_keep_the_endpoint_beyond_its_time(
    gated: GatedClassifier, send: Send, png_bytes: Png
) -> None:
    served = endpoint(gated)
    with ThreadPoolExecutor() as callers:
        begun = time.monotonic()
        with background_endpoint(served, stop_seconds=0.1) as url:
            inside = callers.submit(send, url, "/invocations", png_bytes())
            assert gated.arrived.acquire(timeout=20)
        assert time.monotonic() - begun < 10
        reply = inside.result()
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert "stopping" in json.loads(reply.body)["message"]


def test_what_waits_is_answered_in_one_batch_and_the_same_as_alone(
    tiny_bundle: Callable[..., bytes], send: Send, draw: Draw, wait_until: Callable[..., None]
) -> None:
    gated = GatedClassifier(*read_bundle(tiny_bundle()))
    sizes: list[int] = []

    def predict(batch: Any) -> Any:
        sizes.append(len(batch))
        return GatedClassifier.predict(gated, batch)

    served = endpoint(gated, batch=8)
    gated.predict = predict  # type: ignore[method-assign]
    pictures = [draw(number) for number in range(12)]
    with ThreadPoolExecutor(12) as callers, background_endpoint(served) as url:
        first = callers.submit(send, url, "/invocations", pictures[0])
        assert gated.arrived.acquire(timeout=20)
        others = [callers.submit(send, url, "/invocations", picture) for picture in pictures[1:]]
        wait_until(lambda: b'inside{endpoint="scones"} 12' in send(url, "/metrics", method="GET").body)
        gated.gate.set()
        answers = [json.loads(future.result().body) for future in (first, *others)]
    assert sizes == [1, 8, 3]
    assert answers == Classifier(*read_bundle(tiny_bundle())).classify(pictures)


def test_one_bad_picture_in_a_batch_harms_no_other(
    gated: GatedClassifier, send: Send, png_bytes: Png, wait_until: Callable[..., None]
) -> None:
    bodies = [png_bytes(), b"no picture", png_bytes((20, 20, 220)), png_bytes()[:40]]
    with ThreadPoolExecutor() as callers, background_endpoint(endpoint(gated, batch=8)) as url:
        first = callers.submit(send, url, "/invocations", png_bytes())
        assert gated.arrived.acquire(timeout=20)
        waiting = [callers.submit(send, url, "/invocations", body) for body in bodies]
        wait_until(lambda: b'inside{endpoint="scones"} 5' in send(url, "/metrics", method="GET").body)
        gated.gate.set()
        assert [future.result().status for future in (first, *waiting)] == [200, 200, 400, 200, 400]


def test_a_picture_that_has_waited_too_long_is_not_computed(
    gated: GatedClassifier, send: Send, png_bytes: Png, wait_until: Callable[..., None]
) -> None:
    with ThreadPoolExecutor() as callers, background_endpoint(endpoint(gated, queue_seconds=0.05)) as url:
        first = callers.submit(send, url, "/invocations", png_bytes())
        assert gated.arrived.acquire(timeout=20)
        late = callers.submit(send, url, "/invocations", png_bytes())
        wait_until(lambda: b'inside{endpoint="scones"} 2' in send(url, "/metrics", method="GET").body)
        until = time.monotonic() + 0.06
        wait_until(lambda: time.monotonic() > until)
        gated.gate.set()
        assert first.result().status == 200
        assert (late.result().status, late.result().headers["retry-after"]) == (503, "1")
    assert gated.calls == 1


def test_bodies_that_would_fill_the_memory_are_told_to_come_back(
    start_endpoint: Callable[..., str], send: Send, connect: Connect, png_bytes: Png, wait_until: Callable[..., None]
) -> None:
    url = start_endpoint(max_bytes=1000)
    for _ in range(8):
        connect(url).sendall(post(bytes(1000))[:-1])  # all but the last byte
    wait_until(lambda: b'inside{endpoint="scones"} 8' in send(url, "/metrics", method="GET").body)
    reply = send(url, "/invocations", png_bytes())
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_models_change_between_two_answers_and_each_says_whose_it_is(
    tiny_bundle: Callable[..., bytes], send: Send, png_bytes: Png
) -> None:
    """The first takes red for the first label, the second for the last: an answer shows whose it is."""
    models = [
        Classifier(*read_bundle(tiny_bundle(version=version, strength=strength)))
        for version, strength in (("right", 8.0), ("wrong", -8.0))
    ]
    lineups = [Lineup(Slot(VARIANT, model, 0.9)) for model in models]
    served = Endpoint(lineups[0], Terms("scones"))
    done = threading.Event()
    mixed, seen = [], set()

    def ask(url: str) -> None:
        with (
            suppress(AssertionError),
            socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=20) as wire,
        ):
            while not done.is_set():
                wire.sendall(post(png_bytes()))
                [(status, headers, body)] = replies(wire)
                version = headers["x-amzn-sagemaker-custom-attributes"].partition(";")[0].partition("=")[2]
                seen.add(version)
                if status != 200 or (json.loads(body)[0] > 0.5) != (version == "right"):
                    mixed.append((status, version, body))

    with ThreadPoolExecutor() as callers, background_endpoint(served) as url:
        asking = [callers.submit(ask, url) for _ in range(4)]
        for number in range(100):
            served.lineup = lineups[number % 2]
            send(url, "/invocations", png_bytes())
        done.set()
        for future in asking:
            future.result()
    assert mixed == []
    assert seen == {"right", "wrong"}


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_an_answer_is_bit_for_bit_the_same_whatever_the_batch(tiny_bundle: Callable[..., bytes], size: int) -> None:
    classifier = Classifier(*read_bundle(tiny_bundle(size=24)))
    pictures = np.random.default_rng(3).integers(0, 256, (size, 24, 24, 3), dtype=np.uint8)
    together = classifier.predict(pictures)[0]
    assert all(
        np.array_equal(classifier.predict(one[None])[0][0], row) for one, row in zip(pictures, together, strict=True)
    )
