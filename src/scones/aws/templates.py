"""The two templates of CloudFormation."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from scones.aws.names import Names

__all__ = ["INLINE_BYTES", "template", "with_bucket_name"]

INLINE_BYTES = 51_200
"""What CloudFormation takes as a template's text (quota "Template body size in a request")."""


def template(name: Literal["bootstrap", "app"]) -> str:
    """The text of a template, YAML, without the lines that are comments: so that it fits into a request.

    Args:
        name: ``bootstrap`` is what must be there first, ``app`` the application.
    """
    lines = (resources.files("scones.aws") / "templates" / f"{name}.yaml").read_text("utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#"))


def with_bucket_name(text: str, names: Names) -> str:
    """A template with its bucket's name spelt out: a kept bucket whose name a function makes is not taken in again.

    Args:
        text: of either template.
        names: of its stack.
    """
    made = "-${AWS::AccountId}-${AWS::Region}"
    spelt = {"${AWS::StackName}": names.bucket, "${AppStack}-artefacts": names.artefacts}
    for start, name in spelt.items():
        text = text.replace(f'BucketName: !Sub "{start}{made}"', f'BucketName: "{name}"')
    return text
