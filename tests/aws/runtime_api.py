"""Lambda's Runtime API on loopback, and a function of an unpacked package under AWS's own runtime client."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
_START = """
import runpy, sys
sys.path[:0] = sys.argv[1:3]
sys.argv[:] = ["awslambdaric", sys.argv[3]]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
"""


class FunctionFailed(Exception):
    """A function failed, or never began.

    Attributes:
        error_type: the exception's class name, which Step Functions matches.
        message: its text.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.error_type, self.message = str(error["errorType"]), str(error["errorMessage"])
        super().__init__(f"{self.error_type}: {self.message}")


class LambdaFunction:
    """A function as Lambda runs it: one process, one event after the other; it begins with the first one.

    Of Python's modules the process sees the standard library, the package and the runtime client, nothing else.

    Args:
        folder: the unpacked package.
        handler: as ``scones.functions.serialize_image.handler``.
        environment: all of the variables that the function has.
    """

    def __init__(self, folder: Path, handler: str, environment: Mapping[str, str]) -> None:
        self._command = [str(folder), handler]
        self._environment = dict(environment)
        self._turn = threading.Lock()
        self._server: _RuntimeApi | None = None

    def invoke(self, event: Any) -> Any:
        """Give it an event, from any thread; its result, as JSON carries it.

        Raises:
            FunctionFailed: it raised, could not be imported, or its process ended.
        """
        with self._turn:
            if self._server is None:
                self._begin()
            assert self._server is not None
            self._server.events.put((uuid.uuid4().hex, json.dumps(event).encode()))
            kind, value = self._server.answers.get(timeout=60)
            if kind == "result":
                return value
            if kind == "ended":
                self._end()
            raise FunctionFailed(value)

    def close(self) -> None:
        """End its process."""
        with self._turn:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _begin(self) -> None:
        self._server = server = _RuntimeApi()
        self._clients = TemporaryDirectory()
        folder, handler = self._command
        client = _client_alone(Path(self._clients.name))
        self._process = process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-W", "ignore", "-c", _START, folder, str(client), handler],
            env={
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                "LAMBDA_TASK_ROOT": folder,
                **self._environment,
            },
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

        def follow() -> None:
            said = process.communicate()[0].decode(errors="replace")
            error = {"errorType": "Runtime.ExitError", "errorMessage": f"exit status {process.returncode}: {said}"}
            server.answers.put(("ended", server.init_error or error))

        self._follower = threading.Thread(target=follow)
        self._follower.start()

    def _end(self) -> None:
        if self._server is not None:
            self._process.kill()
            self._follower.join()
            self._server.close()
            self._clients.cleanup()
            self._server = None


def _client_alone(folder: Path) -> Path:
    """A folder that holds the runtime client and what it needs, and no other installed module."""
    for name in _CLIENT:
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.init_error: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.events.put(None)  # whoever waits for one
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the function's process has ended
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert self.path == "/2018-06-01/runtime/invocation/next"
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        name, body = event
        headers = {
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:test",
            "Lambda-Runtime-Trace-Id": "Root=1-0-0;Sampled=0",
            "Content-Type": "application/json",
        }
        self._answer(200, body, headers)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        what = self.path.rsplit("/", 1)[1]
        if self.path == "/2018-06-01/runtime/init/error":
            self.server.init_error = body  # its process ends by itself
        else:
            self.server.answers.put(("result" if what == "response" else "error", body))
        self._answer(202, b"{}", {"Content-Type": "application/json"})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass
