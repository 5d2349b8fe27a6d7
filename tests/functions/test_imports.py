"""A function's package must stay small: what importing a handler brings along."""

import subprocess
import sys

import pytest

HEAVY = {"scipy", "onnx", "onnxruntime", "bokeh", "typer", "rich", "starlette", "uvicorn", "jinja2", "torch"}
ROOMS = {f"scones.{room}" for room in ("staging", "training", "serving", "monitoring", "cli", "console", "aws", "demo")}

STANCES = {f"scones.monitoring{part}" for part in ("", ".watch", ".watch.records", ".watch.standings")}


@pytest.mark.parametrize(
    "name", ["serialize_image", "classify_image", "filter_inferences", "route_driver", "watch_capture"]
)
def test_a_handler_brings_nothing_it_does_not_need(name: str) -> None:
    code = f"import sys; from scones.functions.{name} import handler; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    theirs = {module for module in loaded if module.startswith("scones.monitoring")}
    assert not (loaded & (HEAVY | ROOMS)) - theirs
    # how an endpoint is to be run is written down in one way, whoever decides it
    assert theirs == (STANCES if name == "watch_capture" else set())
    if name != "classify_image":
        assert "botocore.session" not in loaded
    if name != "serialize_image":
        assert "PIL.Image" not in loaded
    assert "numpy" not in loaded
