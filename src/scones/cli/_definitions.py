"""State machines as a person names them on the command line: the application's own, or files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Checked", "Problem", "check", "count_states", "machine_text", "read_substitutions", "substituted"]


@dataclass(frozen=True)
class Problem:
    """What is wrong, and its place in the document, such as ``States.Hello.Next``."""

    place: str
    problem: str


@dataclass(frozen=True)
class Checked:
    """A definition that was checked: how many states it has, what is wrong, and placeholders that have no value."""

    name: str
    states: int
    problems: tuple[Problem, ...]
    placeholders: tuple[str, ...]


def read_substitutions(given: Sequence[str]) -> dict[str, str]:
    """The values of ``Name=value``.

    Raises:
        SettingsError: one has no name, or no ``=``.
    """
    from scones.errors import SettingsError

    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise SettingsError(f"--substitute {text}: write Name=value, for the placeholder ${{Name}}")
        found[name] = value
    return found


def machine_text(name: str) -> str:
    """The definition of one of the application's machines, else of a file.

    Raises:
        DefinitionError: there is neither, or the file cannot be read.
    """
    from scones.errors import DefinitionError
    from scones.workflow.definitions import MACHINES, definition

    if name in MACHINES:
        return definition(name)
    try:
        return Path(name).read_text("utf-8")
    except FileNotFoundError as error:
        raise DefinitionError(
            f"there is no file {name}, and no machine of that name: the application has {', '.join(MACHINES)}"
        ) from error
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{name} is no UTF-8 text: is it a state machine?") from error
    except OSError as error:
        raise DefinitionError(f"{name} cannot be read ({error.strerror}): name a file of JSON") from error


def substituted(value: Any, substitutions: Mapping[str, str]) -> Any:
    """A document with the placeholders filled in that have a value; the others stay as they are."""
    from scones.workflow.engine.definition import substitute

    return substitute(value, lambda _, name: substitutions.get(name, f"${{{name}}}"))


def check(name: str, substitutions: Mapping[str, str]) -> Checked:
    """Check one of the application's machines, or a file; placeholders without a value stand for themselves."""
    from scones.errors import DefinitionError
    from scones.workflow.engine import load

    try:
        text = machine_text(name)
    except DefinitionError as error:
        return Checked(name, 0, (Problem("", str(error)),), ())
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None  # to load, for its message
    stand_ins = {key: value for key, value in _stand_ins(document).items() if key not in substitutions}
    try:
        load(text, {**stand_ins, **substitutions})
    except DefinitionError as error:
        problems = tuple(_problem(line, document) for line in error.problems)
        return Checked(name, count_states(document), problems, tuple(stand_ins))
    return Checked(name, count_states(document), (), tuple(stand_ins))


def count_states(document: Any) -> int:
    """How many states a document has, nested ones too."""
    from scones.errors import DefinitionError
    from scones.workflow.diagram import read_graph, walk

    try:
        parts = walk(read_graph(document))
    except DefinitionError:
        return 0
    return sum(state.type != "missing" for part, _ in parts for state in part.states.values())


def _stand_ins(document: Any) -> dict[str, str]:
    """For each placeholder what stands for it where nobody says: itself, and in a Resource the name of a function."""
    from scones.workflow.engine.definition import PLACEHOLDER

    found: dict[str, str] = {}
    for place, value in _places(document):
        for match in PLACEHOLDER.finditer(value) if isinstance(value, str) else ():
            name = match[1]
            if not place.endswith(".Resource"):
                found.setdefault(name, match[0])
            elif name == "AWS::Partition":
                found[name] = "aws"
            else:
                word = re.sub(r"\W", "-", name)
                found[name] = f"arn:aws:lambda:::function:{word}" if match[0] == value else word
    return found


def _problem(line: str, document: Any) -> Problem:
    """Part a problem's line in its place and what is wrong there; a state's name may hold a colon too."""
    place = ""
    for known, _ in _places(document):
        if len(known) > len(place) and line.startswith(known) and line[len(known) :][:1] in (".", ":", "["):
            place = known
    more, _, problem = line[len(place) :].partition(": ")
    return Problem(place + more, problem) if problem else Problem("", line)


def _places(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every place in a document with what stands there, as the engine names places."""
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, f"{place}[{index}]")
