"""A task: which labels there are, when to decide, and where its pictures come from. Data, not code."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scones.contracts import first_fault
from scones.errors import TaskError

__all__ = ["DecisionPolicy", "Gates", "Task", "View", "load_task", "task_names", "task_text"]

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class DecisionPolicy(BaseModel):
    """When the model may decide alone.

    Attributes:
        target_risk: the largest share of wrong answers among accepted pictures, 0 to 1.
        confidence: how sure we want to be that the target holds, 0 to 1.
        default_threshold: the least confidence of an accepted picture while there are too few
            calibration pictures to fit a threshold to the target.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_risk: float = Field(gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    default_threshold: float = Field(default=0.9, ge=0, le=1)


class Gates(BaseModel):
    """What a model must show on test pictures before it goes into production.

    Attributes:
        worse_p: it is refused as worse when the paired comparison with the model in production finds it
            worse with a p-value below this, 0 to 1.
        ece_excess: by how much its calibration error may exceed what a perfectly calibrated model would
            show, 0 to 1.
        margin: by how much its accuracy may lie below production's at worst (the end of the 95 % interval), 0 to
            1, before a comparison that shows no difference becomes a warning.
        coverage_drop: how much less than production it may decide alone, 0 to 1, without a warning.
        pictures: with fewer test pictures than this, the calibration error tells too little to refuse a
            model, and a comparison that finds no difference says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    worse_p: float = Field(default=0.05, gt=0, lt=1)
    ece_excess: float = Field(default=0.03, ge=0, le=1)
    margin: float = Field(default=0.03, ge=0, le=1)
    coverage_drop: float = Field(default=0.05, ge=0, le=1)
    pictures: int = Field(default=100, ge=1)


class View(BaseModel):
    """How a picture is looked at that is larger than what a backbone takes: cut into tiles, each looked at by itself.

    Attributes:
        size: side in pixels of the square that a picture is squeezed to first.
        crop: the part of the picture that counts: left, top, right and bottom edge, shares of its sides, 0 to 1.
        grids: into how many tiles a side that part is cut; several of them see it at several scales.
        pool: how the tiles of a grid become one: their ``mean`` says what is there on the whole, their ``max``
            whether something is there anywhere; both say both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=32, le=1024)
    crop: tuple[float, float, float, float] = (0, 0, 1, 1)
    grids: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(default=(1, 2, 3), min_length=1)
    pool: tuple[Literal["mean", "max"], ...] = Field(default=("mean", "max"), min_length=1)

    @model_validator(mode="after")
    def _check_crop(self) -> View:
        left, top, right, bottom = self.box()
        if not (0 <= left < right <= self.size and 0 <= top < bottom <= self.size):
            raise ValueError("crop must be left, top, right and bottom edge, as in [0, 0.1, 1, 0.9]")
        return self

    def box(self) -> tuple[int, int, int, int]:
        """The part that counts: its left, top, right and bottom edge, in pixels of the square."""
        left, top, right, bottom = (round(edge * self.size) for edge in self.crop)
        return left, top, right, bottom


class Task(BaseModel):
    """A question that pictures answer. Written as a TOML file (``scones/tasks/*.toml``, or your own).

    Attributes:
        name: lower case letters, digits, ``-`` and ``_``; part of keys.
        title: a few words for people.
        labels: the answers; their order is the order of the model's outputs.
        policy: when the model may decide alone.
        gates: what a model must show before it goes into production.
        classes: which classes of a source make up each label: for ``cifar100`` its classes, for a folder its
            sub-folders, or patterns of paths (``pictures/broken-*``). A label that is missing here takes the
            class of its own name.
        per_label: at most this many training pictures a label, evenly from its classes, and as large a share
            of the test pictures; of ``cifar100`` only. 0: all.
        groups: pictures that show the same thing, by patterns of their paths; they are never parted between
            training, calibration and test.
        group_by: a regular expression that finds the name of the thing in a picture's path, for pictures that
            ``groups`` does not name: what stands in its parentheses, else the whole of what it finds.
        view: how pictures are looked at that are larger than what a backbone takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    title: str
    labels: tuple[_Name, ...] = Field(min_length=2)
    policy: DecisionPolicy
    gates: Gates = Gates()
    per_label: int = Field(default=0, ge=0)
    group_by: str = ""
    classes: dict[str, tuple[str, ...]] = {}
    groups: dict[str, tuple[str, ...]] = {}
    view: View | None = None

    @model_validator(mode="after")
    def _check_labels(self) -> Task:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands there twice")
        if unknown := set(self.classes) - set(self.labels):
            raise ValueError(f"classes names {', '.join(sorted(unknown))}, which is no label")
        try:
            re.compile(self.group_by)
        except re.error as error:
            raise ValueError(f"group_by is no regular expression ({error})") from error
        return self

    def source_classes(self, label: str) -> tuple[str, ...]:
        """The classes of a source that make up a label."""
        return self.classes.get(label, (label,))

    def group_of(self, origin: str) -> str:
        """The thing that a picture shows, by its path; empty when the task does not say.

        Example:
            >>> load_task("defects").group_of("training-images/normal-9.jpg")
            'cookie 2'
        """
        for name, patterns in self.groups.items():
            if any(fnmatchcase(origin, pattern) for pattern in patterns):
                return name
        found = re.search(self.group_by, origin) if self.group_by else None
        return (found[1] or "" if found.re.groups else found[0]) if found else ""


def task_names() -> list[str]:
    """The tasks that come with Scones."""
    folder = resources.files("scones") / "tasks"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_task(name: str) -> Task:
    """Load a task by name, or from a TOML file.

    Raises:
        TaskError: there is no such task, or its file is wrong.

    Example:
        >>> load_task("vehicles").labels
        ('bicycle', 'motorcycle')
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise TaskError(f"no task file {name}: give the path of a TOML file, or one of {', '.join(task_names())}")
        return _parse(path.read_bytes(), name)
    if name not in task_names():
        raise TaskError(f"unknown task {name!r}: use one of {', '.join(task_names())}, or the path of a TOML file")
    return _parse(_shipped(name).read_bytes(), f"{name}.toml")


def task_text(name: str) -> str:
    """The file of a task that comes with Scones, with its comments.

    Raises:
        TaskError: there is no such task.
    """
    if name not in task_names():
        raise TaskError(f"unknown task {name!r}: use one of {', '.join(task_names())}")
    return _shipped(name).read_text(encoding="utf-8")


def _shipped(name: str) -> Traversable:
    return resources.files("scones") / "tasks" / f"{name}.toml"


def _parse(data: bytes, origin: str) -> Task:
    try:
        return Task.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaskError(f"{origin} is no TOML ({error}): correct it") from error
    except ValidationError as error:
        raise TaskError(f"{origin}: {first_fault(error)}: correct it") from error
