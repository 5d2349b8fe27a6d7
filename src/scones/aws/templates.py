"""The two templates of CloudFormation."""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

import yaml

if TYPE_CHECKING:
    from scones.aws.names import Names

__all__ = ["INLINE_BYTES", "compact", "template", "with_bucket_name"]

INLINE_BYTES = 51_200
"""What CloudFormation takes as a template's text (quota "Template body size in a request")."""


def template(name: Literal["bootstrap", "app"]) -> str:
    """The text of a template, YAML, without the lines that are comments.

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


@cache
def compact(text: str) -> str:
    """The same template in fewer bytes: a parameter, a resource or an output a line.

    So the application's goes with the request. An address in S3 would allow more, but a first plan has no bucket yet.

    Example:
        >>> print(compact("Resources:\\n  Topic:\\n    Type: AWS::SNS::Topic # people"), end="")
        Resources:
          Topic: {Type: 'AWS::SNS::Topic'}
    """
    root = yaml.compose(text, yaml.SafeLoader)
    for section in _values(root):
        for one in _values(section):
            _flow(one)
    return yaml.serialize(root, width=math.inf, allow_unicode=True)


def _values(node: yaml.Node | None) -> list[yaml.Node]:
    """What a node holds; of a mapping the values."""
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _flow(node: yaml.Node) -> bool:
    """Put a node on one line, unless a text of several lines is in it: there each line's end would be written out."""
    inner = [_flow(one) for one in _values(node)]  # each of them is to be seen
    flows = all(inner)
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = flows
        return flows
    return not (isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"))
