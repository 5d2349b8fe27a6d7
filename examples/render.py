"""Run the walkthrough and write it, with what it shows, to ``docs/walkthrough.md``: ``make walkthrough``."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples/walkthrough.ipynb"
PAGE = ROOT / "docs/walkthrough.md"
IMAGES = "images/walkthrough"


def run(seconds: int = 300) -> nbformat.NotebookNode:
    """Run the notebook in a folder of its own; answers it with its outputs.

    Args:
        seconds: that one cell may take.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": folder}}).execute()
    return notebook


def render(notebook: nbformat.NotebookNode) -> None:
    """Write the page and its pictures."""
    for cell in notebook.cells:
        if "not-ours" in cell.metadata.get("tags", ()):  # CIFAR-100's pictures are no part of the project
            cell.outputs = [nbformat.v4.new_output("stream", text="(pictures of the dataset)")]
        for output in cell.get("outputs", ()):
            if "text" in output:  # a folder that is gone by now
                output.text = re.sub(r"/\S*/scones-\w+/", "", output.text)
            output.get("data", {}).pop("image/jpeg", None)  # the same picture as PNG
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, {"unique_key": "figure", "output_files_dir": IMAGES}
    )
    for name, data in resources["outputs"].items():
        (PAGE.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (PAGE.parent / name).write_bytes(data)
    note = "<!-- `make walkthrough` writes this page: it is examples/walkthrough.ipynb with what it shows -->\n\n"
    PAGE.write_text(note + "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    render(run())
