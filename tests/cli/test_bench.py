"""``scones bench``: what a person and what a program gets to see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner

from scones.cli import command_line
from scones.errors import EndpointError, SettingsError
from scones.http_server import background_server

QUICK = ("--connections", "1,2", "--seconds", "0.2", "--p99-ms", "5000")


def _run(*arguments: str) -> Any:
    return CliRunner().invoke(command_line("bench"), ["bench", "endpoint", *arguments])


async def _answer(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse([0.9, 0.1])


def _app() -> Starlette:
    return Starlette(routes=[Route("/invocations", _answer, methods=["POST"])])


def test_a_program_gets_the_steps_the_knee_and_the_size_as_json(tmp_path: Path) -> None:
    page = tmp_path / "deep/load.html"
    with background_server(_app()) as url:
        result = _run(url, *QUICK, "--rates", "50%,20", "--expect", "100", "--out", str(page), "--json")
    assert result.exception is None, result.output
    told = json.loads(result.stdout)
    assert [step["connections"] for step in told["steps"]] == [1, 2]
    assert [step["rate"] for step in told["open_loop"]][1] == 20
    assert told["knee"]["throughput"] > 0
    assert told["sizing"]["safety_factor"] == 0.7
    assert told["sizing"]["invocations_per_instance"] == pytest.approx(0.7 * 60 * told["knee"]["throughput"], rel=0.01)
    assert told["sizing"]["instances"] >= 1
    assert told["pictures"] == 32
    assert told["page"] == str(page)
    assert "Load test" in page.read_text()


def test_a_person_gets_a_table_the_knee_and_what_to_set(tmp_path: Path, png_bytes: Callable[..., bytes]) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes())
    with background_server(_app()) as url:
        result = _run(url, *QUICK, "--rates", "none", "--pictures", str(tmp_path))
    assert result.exception is None, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["load", "answers", "p50"]
    assert any(line.startswith("1 caller ") for line in lines)
    assert any(line.startswith("the knee is ") for line in lines)
    assert any("InvocationsPerInstance" in line for line in lines)


def test_another_machine_is_not_loaded_by_mistake() -> None:
    error = _run("http://192.0.2.7:8080").exception
    assert isinstance(error, SettingsError)
    assert "--remote" in str(error)


@pytest.mark.parametrize(
    ("option", "value"), [("--connections", "1,two"), ("--connections", "4,2"), ("--rates", "fast"), ("--rates", "-5")]
)
def test_a_list_that_is_none_is_refused_with_what_to_write(option: str, value: str) -> None:
    assert isinstance(_run("http://127.0.0.1:9", option, value).exception, SettingsError)


def test_nobody_there_is_one_clear_error() -> None:
    with background_server(_app()) as url:
        pass
    assert isinstance(_run(url, *QUICK).exception, EndpointError)
