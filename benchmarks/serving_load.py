"""A load generator: `serving_load.py URL FOLDER CONNECTIONS SECONDS` keeps so many requests going, and prints JSON.

Raw sockets and one epoll: it takes some 20 microseconds of a core for a request, which counts against whoever it asks.
Each connection sends its next picture when it has its answer. Answers are checked; the first quarter is not counted.
"""

from __future__ import annotations

import json
import select
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def load(url: str, pictures: list[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Ask for so long; figures in requests a second and milliseconds."""
    at = urlsplit(url)
    head = f"POST {at.path or '/invocations'} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: image/png\r\n"
    requests = [f"{head}Content-Length: {len(picture)}\r\n\r\n".encode() + picture for picture in pictures]
    poll, wires, begun = select.epoll(), {}, {}
    for _ in range(connections):
        wire = socket.create_connection((at.hostname, at.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wires[wire.fileno()] = wire
        poll.register(wire.fileno(), select.EPOLLIN)
    sent, wrong, took = 0, 0, []
    worked = time.process_time()
    start = time.perf_counter()
    counted, end = start + seconds / 4, start + seconds
    for number, wire in wires.items():
        begun[number] = time.perf_counter()
        wire.sendall(requests[sent % len(requests)])
        sent += 1
    while time.perf_counter() < end:
        for number, _ in poll.poll(1):
            wire = wires[number]
            data = wire.recv(65_536)
            while not is_whole(data):
                data += wire.recv(65_536)
            now = time.perf_counter()
            wrong += not data.startswith(b"HTTP/1.1 200")
            if begun[number] >= counted:
                took.append(1000 * (now - begun[number]))
            begun[number] = now
            wire.sendall(requests[sent % len(requests)])
            sent += 1
    cuts = statistics.quantiles(took, n=100)
    return {
        "a_second": round(len(took) / (end - counted), 1),
        "p50_ms": round(cuts[49], 3),
        "p99_ms": round(cuts[98], 3),
        "wrong": wrong,
        "client_us": round(1e6 * (time.process_time() - worked) / sent, 1),
        "requests": sent,
    }


def is_whole(data: bytes) -> bool:
    """Whether all of an answer is there."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    if not data:
        raise ConnectionError("the server closed the connection")
    place = head.lower().find(b"content-length:")
    if place < 0:
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(head[place + 15 :].split(b"\r\n", 1)[0])


def main() -> None:
    url, folder, connections, seconds = sys.argv[1:]
    pictures = [path.read_bytes() for path in sorted(Path(folder).rglob("*"))[:200] if path.is_file()]
    print(json.dumps(load(url, pictures, int(connections), float(seconds))))


if __name__ == "__main__":
    main()
