"""Hostile input against a running endpoint: damaged pictures, bombs, and requests that are none, all from one seed.

Whatever comes, the answer is to be a status that says whose fault it is, or the connection's end: no status of 500 or
more, no answer to a request that was hidden in another, no process that dies, no growth of memory. Between the cases
the endpoint must answer /ping within SageMaker's two seconds and a known picture as it did at first; all the while
some callers send their headers so slowly that they never end.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from endpoint_process import Served, serve, train
from fuzz_pictures import PictureFuzz
from fuzz_requests import Talk, picture_talk, request_talk
from fuzz_sending import Findings, send_all
from harness import Claim, emit, progress

from scones.loadtest import drawn_samples

BLOCK = 500
SLOW_CALLERS = 16
WORKERS, OWN = 2, 2
"""Processes that classify, and those that keep them."""
_DRIP = 0.5


@dataclass
class Health:
    """How the endpoint does between the cases.

    Attributes:
        pings_ms: how long /ping took.
        unwell: what it did otherwise than at first.
        gone: its processes that are no more.
        memory: megabytes, after each block.
    """

    pings_ms: list[float] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    memory: list[float] = field(default_factory=list)


def talks(seed: int, picture: bytes) -> Iterator[Talk]:
    """Cases without end, half of them pictures; each follows from the seed and its number."""
    number, pictures = 0, Random(seed)
    fuzz = PictureFuzz(pictures)
    while True:
        random = Random(f"{seed}/{number}")
        yield picture_talk(fuzz.next(), random) if number % 2 else request_talk(picture, random)
        number += 1


def ask(served: Served, picture: bytes | None) -> tuple[int, bytes, float]:
    """Ask /ping, or classify a picture: status, body, milliseconds."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
    begun = time.perf_counter()
    try:
        if picture is None:
            connection.request("GET", "/ping")
        else:
            connection.request("POST", "/invocations", picture, {"Content-Type": "image/png"})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, body, 1000 * (time.perf_counter() - begun)
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error).encode(), 1000 * (time.perf_counter() - begun)
    finally:
        connection.close()


async def crawl(host: str, port: int) -> None:
    """A caller whose headers never end; it comes back whenever it is sent away."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"POST /invocations HTTP/1.1\r\nHost: h\r\n")
                while not writer.transport.is_closing():
                    await asyncio.sleep(_DRIP)
                    writer.write(b"X: y\r\n")
                    await writer.drain()
            finally:
                writer.transport.abort()
        await asyncio.sleep(_DRIP)


async def settled(served: Served) -> set[int]:
    """Its processes, once the one has ended that sees at the start how many pictures at once are best."""
    until = time.monotonic() + 20
    while len(processes := set(served.tree())) > OWN + WORKERS and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return processes


async def attack(served: Served, cases: int, seed: int) -> tuple[Findings, Health]:
    """Send all cases, a block at a time, and look after the endpoint between them."""
    parts = urlsplit(served.url)
    assert parts.hostname is not None
    assert parts.port is not None
    picture = drawn_samples()[0].data
    known, processes, health, found = ask(served, picture)[:2], await settled(served), Health(), Findings()
    assert known[0] == 200, known
    slow = [asyncio.create_task(crawl(parts.hostname, parts.port)) for _ in range(SLOW_CALLERS)]
    endless = talks(seed, picture)
    for begin in range(0, cases, BLOCK):
        block = islice(endless, min(BLOCK, cases - begin))
        add(found, await send_all(parts.hostname, parts.port, block))
        status, _, milliseconds = await asyncio.to_thread(ask, served, None)
        health.pings_ms.append(milliseconds)
        if status != 200:
            health.unwell.append(f"/ping answered {status} after {found.cases} cases")
        if (now := (await asyncio.to_thread(ask, served, picture))[:2]) != known:
            health.unwell.append(f"a known picture was answered {now} after {found.cases} cases")
        health.gone |= processes - set(served.tree())
        health.memory.append(served.memory_mb())
        if begin % (10 * BLOCK) == 0:
            progress(f"{found.cases:,} cases: {dict(found.statuses)}, {health.memory[-1]:.0f} MB")
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    return found, health


def add(found: Findings, more: Findings) -> None:
    """Count what another block came to."""
    found.cases += more.cases
    found.statuses += more.statuses
    found.kinds += more.kinds
    found.server_errors += more.server_errors
    found.smuggled += more.smuggled
    found.wrong += more.wrong
    found.stuck += more.stuck
    found.faults += more.faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=24_000, help="how many  [24000]")
    parser.add_argument("--seed", type=int, default=20261129, help="of all chance  [20261129]")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = given.model.absolute() if given.model else train(folder)
        with serve(folder, "--model", str(model), "--no-capture", "--workers", str(WORKERS)) as (served, _):
            found, health = asyncio.run(attack(served, given.cases, given.seed))
    fifth = max(1, len(health.memory) // 5)
    # by the second fifth every kind has come; medians, as a large picture shows for a while
    growth = statistics.median(health.memory[-fifth:]) - statistics.median(
        health.memory[fifth : 2 * fifth] or health.memory
    )
    claims = [
        Claim("cases", found.cases, "cases", ">= 20000"),
        Claim("server_errors", found.server_errors, "answers", "<= 0"),
        Claim("crashes", len(health.gone), "processes", "<= 0"),
        Claim("rss_growth_mb", round(growth, 1), "MB", "<= 20"),
        Claim("smuggled", found.smuggled, "answers", "<= 0"),
        Claim("wrong_answers", found.wrong + found.stuck + len(health.unwell), "answers", "<= 0"),
        Claim("ping_ms", round(max(health.pings_ms), 1), "ms", "<= 2000"),
    ]
    detail = {
        "seed": given.seed,
        "statuses": {str(status): number for status, number in sorted(found.statuses.items())},
        "kinds": dict(found.kinds.most_common()),
        "stuck": found.stuck,
        "unwell": health.unwell,
        "faults": found.faults[:40],
        "memory_mb": [round(value, 1) for value in health.memory],
    }
    emit("fuzz", started, claims, detail)


if __name__ == "__main__":
    main()
