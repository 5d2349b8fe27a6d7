"""The two templates of CloudFormation."""

from __future__ import annotations

from importlib import resources
from typing import Literal

__all__ = ["INLINE_BYTES", "template"]

INLINE_BYTES = 51_200
"""What CloudFormation takes as a template's text (quota "Template body size in a request")."""


def template(name: Literal["bootstrap", "app"]) -> str:
    """The text of a template, YAML, without the lines that are comments: so that it fits into a request.

    Args:
        name: ``bootstrap`` is what must be there first, ``app`` the application.
    """
    lines = (resources.files("scones.aws") / "templates" / f"{name}.yaml").read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#"))
