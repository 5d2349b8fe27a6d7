"""Modules that need torch hold no examples that could run without it."""

from importlib.util import find_spec
from pathlib import Path

_TRAINING = Path(__file__).parent / "src/scones/training"

_NEED_TORCH = [str(path) for path in _TRAINING.glob("*.py") if "\nimport torch\n" in path.read_text()]

collect_ignore = [] if find_spec("torch") else _NEED_TORCH
