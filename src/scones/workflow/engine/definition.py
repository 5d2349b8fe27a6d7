"""Loads a definition: substitutes, checks, and gives a frozen, typed state machine.

All problems are found at once, each with its place in the document; what this engine cannot run is
refused here and never while an execution runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from scones.errors import DefinitionError
from scones.workflow.engine.fields import Fields, Language
from scones.workflow.engine.jsontext import Json, dump
from scones.workflow.engine.jsontext import load as load_json
from scones.workflow.engine.machine import LONGEST, State, StateMachine
from scones.workflow.engine.state_reading import read_language, read_state

__all__ = ["PLACEHOLDER", "load", "read_again", "substitute"]

PLACEHOLDER: Final = re.compile(r"\$\{([A-Za-z_][\w.:]*)\}")
"""Stands for a value that is filled in when the machine is loaded."""
_MACHINE = {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
_LONGEST_NAME = 80
_FLOW = {"Comment", "ProcessorConfig", "StartAt", "States"}


def load(
    definition: str | Mapping[str, Json],
    substitutions: Mapping[str, str] | None = None,
    *,
    source: str = "the definition",
) -> StateMachine:
    """Load an Amazon States Language definition.

    Args:
        definition: the document as JSON text or as a mapping.
        substitutions: the value of each ``${Name}`` in the document's texts, as in the
            ``DefinitionSubstitutions`` of CloudFormation; names that the document does not use are fine.
        source: what to call the document in a message, such as its path.

    Raises:
        DefinitionError: with every problem of the document, a line each.

    Example:
        >>> machine = load('{"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}')
        >>> machine.states["Hello"].type
        'Succeed'
        >>> load({"StartAt": "Hello", "States": {"Hello": {"Type": "Wait", "Seconds": -1, "Next": "Bye"}}})
        Traceback (most recent call last):
        ...
        scones.errors.DefinitionError: 2 problems in the definition:
          States.Hello.Seconds: must be a whole number from 0 to 99999999, not -1
          States.Hello.Next: there is no state 'Bye'
    """
    problems: list[str] = []
    document = _parse(definition, problems)
    if isinstance(document, dict):
        given = substitutions or {}

        def replace(place: str, name: str) -> str:
            if name not in given:
                problems.append(f"{place}: ${{{name}}} has no value; add {name} to the substitutions")
            return str(given.get(name, ""))

        document = substitute(document, replace)
    return _checked(document, problems, source)


def read_again(text: str) -> StateMachine:
    """The machine of a text that :func:`load` made: what may look like a placeholder in it is none.

    Raises:
        DefinitionError: this engine no longer takes it.
    """
    problems: list[str] = []
    return _checked(_parse(text, problems), problems, "the journal")


def _checked(document: Json, problems: list[str], source: str) -> StateMachine:
    machine = None
    if isinstance(document, dict):
        machine = _Reading(problems).machine(Fields(document, "", problems), dump(document), _MACHINE)
    elif not problems:
        problems.append("the document: must be a JSON object")
    if problems or machine is None:
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        raise DefinitionError(f"{count} in {source}:\n  " + "\n  ".join(problems), problems)
    return machine


def _parse(definition: str | Mapping[str, Json], problems: list[str]) -> Json:
    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        # JSON lets a key stand twice and Python keeps the last: a state would vanish without a word.
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = {key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1}
            problems.append(f"the document: {', '.join(sorted(twice))} stands twice in the same object")
        return found

    try:
        text = definition if isinstance(definition, str) else dump(dict(definition))
        document = load_json(text, unique)
        dump(document).encode()  # a number beyond all bounds, or half a surrogate pair
        return document
    except (TypeError, ValueError, RecursionError) as error:
        problems.append(f"the document: is no JSON: {error}")
        return None


def substitute(value: Json, replace: Callable[[str, str], str], place: str = "") -> Json:
    """A document in which something stands for each ``${Name}``.

    Args:
        value: the document, or a part of it.
        replace: gives what stands for a name, by the place and the name.
        place: of the part in the document.
    """
    if isinstance(value, dict):
        return {key: substitute(item, replace, f"{place}.{key}" if place else key) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, replace, f"{place}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    return PLACEHOLDER.sub(lambda match: replace(place, match[1]), value)


class _Reading:
    """Reads one machine: the states of all its flows together, since a name may stand but once in it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.states: dict[str, State] = {}
        self._names: set[str] = set()
        self._language: Language = "JSONPath"
        """Of the machine: what counts in every state that does not say another."""
        self._outer: dict[str, str] = {}
        """Variables of the flows around the one that is being read, with the place that sets each."""

    def machine(self, fields: Fields, text: str, allowed: set[str]) -> StateMachine:
        """A whole machine, or a distributed Map's processor, which runs as one of its own."""
        fields.refuse_others(allowed, "a state machine")
        self._language = read_language(fields, self._language)
        if fields.data.get("Version", "1.0") != "1.0":
            fields.note("Version", f"must be 1.0, not {fields.data['Version']!r}")
        timeout = fields.whole("TimeoutSeconds", 1, LONGEST)
        before, self.states, self._outer = (self.states, self._outer), {}, {}
        start_at = self.flow(fields)
        states, (self.states, self._outer) = self.states, before
        return StateMachine(text=text, start_at=start_at, states=MappingProxyType(states), timeout=timeout)

    def branch(self, fields: Fields) -> str:
        """A Parallel's branch or an inline Map's processor; answers the state that it starts at."""
        fields.refuse_others(_FLOW, "a branch")
        return self.flow(fields)

    def child(self, fields: Fields) -> StateMachine:
        """A distributed Map's processor."""
        own = {key: value for key, value in fields.data.items() if key != "ProcessorConfig"}
        if self._language == "JSONata":
            own["QueryLanguage"] = self._language  # for when it is read again, alone
        return self.machine(fields, dump(own), _FLOW)

    def flow(self, fields: Fields) -> str:
        """A StartAt and its States; answers the state that it starts at."""
        start_at = fields.text("StartAt")
        given = fields.data.get("States")
        if not isinstance(given, dict) or not given:
            fields.note("States", "must be a JSON object of at least one state")
            return start_at
        around, own = self._outer, _assigned(given, fields.at("States"))
        for name in own.keys() & around.keys():
            self.problems.append(f"{own[name]}.{name}: is a variable of {around[name]}, which may only be read in here")
        self._outer = {**own, **around}
        for name, state in given.items():
            place = f"{fields.at('States')}.{name}"
            if name in self._names:
                self.problems.append(f"{place}: {name} is the name of another state of this machine too")
            if len(name) > _LONGEST_NAME:
                self.problems.append(f"{place}: a state's name has at most {_LONGEST_NAME} characters")
            self._names.add(name)
            if not isinstance(state, dict):
                self.problems.append(f"{place}: must be a JSON object, not {state!r}")
            else:
                inside = Fields(state, place, self.problems, self._language)
                if (read := read_state(name, inside, self.branch, self.child)) is not None:
                    self.states[name] = read
        self._outer = around
        _check_graph(fields, start_at, given)
        return start_at


def _assigned(states: Mapping[str, Json], place: str) -> dict[str, str]:
    """The variables that states set, without those of flows inside them, each with a place that sets it."""
    found: dict[str, str] = {}
    for name, state in states.items():
        if not isinstance(state, dict):
            continue
        holders = [(f"{place}.{name}", state)]
        for key in ("Choices", "Catch"):
            entries = state.get(key)
            for index, entry in enumerate(entries if isinstance(entries, list) else []):
                if isinstance(entry, dict):
                    holders.append((f"{place}.{name}.{key}[{index}]", entry))
        for where, holder in holders:
            assign = holder.get("Assign")
            for variable in assign if isinstance(assign, dict) else ():
                found[variable.removesuffix(".$")] = f"{where}.Assign"
    return found


def _edges(state: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Where a state leads, with the place of each name; from the JSON, so that a faulty state counts too."""
    for key in ("Next", "Default"):
        if key in state:
            yield key, state[key]
    for key in ("Choices", "Catch"):
        entries = state.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict) and "Next" in entry:
                yield f"{key}[{index}].Next", entry["Next"]


def _check_graph(fields: Fields, start_at: str, states: Mapping[str, Json]) -> None:
    """Note what leads out of the flow, and what nothing leads to."""

    def target(place: str, name: Json) -> str | None:
        if isinstance(name, str) and name in states:
            return name
        fields.note(place, f"there is no state {name!r}{' here' if fields.place else ''}")
        return None

    leads = {
        name: [target(f"States.{name}.{place}", next_name) for place, next_name in _edges(state)]
        for name, state in states.items()
        if isinstance(state, dict)
    }
    first = target("StartAt", start_at) if start_at else None
    if first is None:
        return
    reached: set[str] = set()
    ahead: list[str | None] = [first]
    while ahead:
        name = ahead.pop()
        if name is not None and name not in reached:
            reached.add(name)
            ahead.extend(leads.get(name, []))
    for name in states:
        if name not in reached:
            fields.note(f"States.{name}", "no other state leads here")
