"""The notebook: it runs, and the documentation shows what it shows."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples/walkthrough.ipynb"


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_the_notebook_is_kept_without_outputs() -> None:
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells("code"))


def test_the_documentation_shows_the_notebook_as_it_is() -> None:
    page = (ROOT / "docs/walkthrough.md").read_text()
    for cell in cells("code"):
        assert "\n".join(line.rstrip() for line in source(cell).splitlines()) in page, source(cell)


def test_the_notebook_runs_from_its_first_cell_to_its_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "SCONES_")) and name != "SCONES_TEST_DATA"]:
        monkeypatch.delenv(name)
    archive = Path(os.environ.get("SCONES_TEST_DATA", "/nowhere")) / "cifar-100-python.tar.gz"
    if archive.is_file():
        monkeypatch.setenv("SCONES_CIFAR100", str(archive))
    else:
        monkeypatch.setenv("SCONES_WALKTHROUGH_SOURCE", "synthetic")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    spec = importlib.util.spec_from_file_location("render", ROOT / "examples/render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)

    notebook = render.run()

    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    kinds = {kind for output in shown for kind in output.get("data", ())}
    assert {"image/png", "image/svg+xml"} <= kinds
    assert "nothing is left" in shown[-1]["text"]
