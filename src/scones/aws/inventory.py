"""The inventory: everything in an account that belongs to a stack, found by tag and by name.

Three sources, none of which needs the others: the tagging API, which knows what has the stack's tag, also of a kind
that nobody thought of; the services' own lists, searched for the names that the templates give; and what a stack of
CloudFormation holds, while it stands. A name that only begins as the stack's does not count: ``scones-two`` is another
stack, or somebody's website. What has another stack's tag is that stack's, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from scones.aws.account import Account, explained
from scones.aws.derived import derived_names
from scones.aws.listing import KINDS, Kind, Listed
from scones.aws.names import TAG, Names
from scones.aws.versions import list_versions
from scones.errors import AwsError
from scones.page.numbers import plural

__all__ = ["COUNTED", "HELD", "Found", "contents", "take_inventory"]

COUNTED = 100_000
"""Versions that :func:`contents` counts, at most."""
HELD = ("stack", "what a stack holds")
"""The kinds that are not seen where nobody can say what a stack holds."""


@dataclass(frozen=True)
class Found:
    """Something that belongs to a stack; or, where it is not ``seen``, a kind that could not be looked at.

    Attributes:
        kind: as ``log group``.
        name: of the thing; empty where it is not ``seen``.
        arn: of the thing; empty where it is not ``seen``.
        how: what says that it is the stack's: its ``tag``, its ``name``, or the ``stack`` that holds it.
        holder: the stack that holds it, while that stands.
        why: why it is still there, or could not be looked at.
    """

    kind: str
    name: str = ""
    arn: str = ""
    how: str = ""
    holder: str = ""
    why: str = ""

    @property
    def seen(self) -> bool:
        """It was found; else nobody can say whether there is any."""
        return bool(self.arn)


def take_inventory(account: Account, names: Names) -> list[Found]:
    """Everything that belongs to a stack, in the order in which it can go.

    A service that refuses stops nothing: the others are looked at; what could not be looked at is in the list, last.

    Args:
        account: where to look.
        names: of the stack.
    """
    found: list[Found] = []
    unseen: list[Found] = []
    tags: dict[str, str] = {}
    try:
        tags = _tags(account)
    except AwsError as error:
        unseen.append(Found("what is tagged", why=f"could not look: {error}"))
    rules = _Rules(names, tags)
    lists: dict[str, set[str]] = {}
    for kind in KINDS:
        try:
            with explained(f"list each {kind.name}"):
                listed = list(kind.look(account, names))
        except AwsError as error:
            unseen.append(Found(kind.name, why=f"could not look: {error}"))
            continue
        lists[kind.name] = {one.arn for one in listed}
        found += [
            Found(kind.name, one.name, one.arn, how, rules.holder(kind, one))
            for one in listed
            if (how := rules.how(kind, one))
        ]
        if kind.name == "stack":
            try:
                rules.held = _held(account, [one.name for one in found])
            except AwsError as error:
                unseen.append(Found("what a stack holds", why=f"could not look: {error}"))
    return [*found, *_by_tag_only(names, tags, lists), *unseen]


def _tags(account: Account) -> dict[str, str]:
    """Of each thing that has the tag, whatever stack it names: that stack, by ARN."""
    with explained("ask for what is tagged"):
        pages = account.tags.get_paginator("get_resources").paginate(TagFilters=[{"Key": TAG}])
        return {
            one["ResourceARN"].removesuffix(":*"): tag["Value"]
            for page in pages
            for one in page["ResourceTagMappingList"]
            for tag in one["Tags"]
            if tag["Key"] == TAG
        }


def _held(account: Account, stacks: Iterable[str]) -> dict[tuple[str, str], str]:
    """What stacks hold: the stack, by a thing's type and CloudFormation's name of it."""
    held = {}
    for stack in stacks:
        with explained(f"list what stack {stack} holds"):
            for page in account.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
                for one in page["StackResourceSummaries"]:
                    if one["ResourceStatus"] != "DELETE_COMPLETE":
                        held[one["ResourceType"], one.get("PhysicalResourceId", "")] = stack
    return held


class _Rules:
    """Whose a thing is."""

    def __init__(self, names: Names, tags: Mapping[str, str]) -> None:
        self._names, self._tags = names, tags
        self._derived = derived_names(names)
        self.held: Mapping[tuple[str, str], str] = {}  # what the stacks hold, when they are known

    def how(self, kind: Kind, one: Listed) -> str:
        """What says that it is the stack's, as ``name, tag``; empty: it is not."""
        tag = one.tags.get(TAG, self._tags.get(one.arn))
        if tag not in {None, self._names.stack}:
            return ""
        # a stack of the same name in another region has the same tag
        tagged = tag is not None and (not kind.everywhere or one.name.endswith(self._names.region))
        said = {"name": self._named(kind, one.name), "tag": tagged, "stack": bool(self.holder(kind, one))}
        return ", ".join(how for how, so in said.items() if so)

    def _named(self, kind: Kind, name: str) -> bool:
        endpoints = tuple(f"endpoint/{endpoint}/" for endpoint in self._names.endpoints)
        if kind.name == "scaling target":
            return name.startswith(endpoints)
        # what scales an endpoint makes alarms of its own
        by_scaling = kind.name == "alarm" and name.removeprefix("TargetTracking-").startswith(endpoints)
        return by_scaling or name in self._derived.get(kind.type, ())

    def holder(self, kind: Kind, one: Listed) -> str:
        """The stack that holds it; empty: none that stands."""
        known_as = (one.name, one.arn, one.id)
        return next((stack for known in known_as if (stack := self.held.get((kind.type, known)))), "")


def _by_tag_only(names: Names, tags: Mapping[str, str], listed: Mapping[str, set[str]]) -> Iterator[Found]:
    """What has the stack's tag and is in no list. Tags outlive what they were on: a list that is whole decides."""
    for arn, stack in tags.items():
        if stack != names.stack:
            continue
        kind = next((kind for kind in KINDS if kind.owns(arn)), None)
        if kind is not None:
            looked = kind.name in listed
            if looked and (arn in listed[kind.name] or kind.covers(arn, names)):
                continue
            if kind.everywhere and not arn.endswith(names.region):  # of the stack of this name in another region
                continue
        service, resource = arn.split(":", 5)[2::3]
        why = "only its tag says that it is there, and tags stay for a while: look, and remove it by hand"
        yield Found(*((kind.name, kind.short(arn)) if kind else (service, resource)), arn, "tag", why=why)


def contents(account: Account, found: Found) -> str:
    """What is in a bucket or a repository, in words, as ``1,204 versions``; empty for other kinds.

    Raises:
        AwsAccess, AwsError: it cannot be looked into.
    """
    if found.kind == "bucket":
        counted = sum(1 for _ in islice(list_versions(account, found.name, ""), COUNTED + 1))
        return plural(counted, "version") if counted <= COUNTED else f"more than {plural(COUNTED, 'version')}"
    if found.kind == "repository":
        with explained(f"list the images of {found.name}"):
            pages = account.ecr.get_paginator("list_images").paginate(repositoryName=found.name)
            digests = {image.get("imageDigest") for page in pages for image in page["imageIds"]}
        return plural(len(digests), "image")
    return ""
