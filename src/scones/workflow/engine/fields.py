"""Reads the fields of a JSON object of a definition; every problem is noted with its place, none raised."""

from __future__ import annotations

from collections.abc import Collection

from scones.workflow.engine.data import Template, compile_template
from scones.workflow.engine.intrinsics import Expression, parse_expression
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Path, parse_path

__all__ = ["ROOT", "Fields"]

ROOT = Path("$", in_context=False, steps=())


class Fields:
    """The fields of one JSON object.

    Each reader answers the field's value, or a harmless one of the same type after it has noted a problem.

    Args:
        data: the object.
        place: where it stands in the document, such as ``States.Classify``; empty for the document itself.
        problems: where each problem is added, as ``place: what is wrong``.
    """

    def __init__(self, data: dict[str, Json], place: str, problems: list[str]) -> None:
        self.data = data
        self.place = place
        self.problems = problems

    def at(self, key: str) -> str:
        """The place of a field."""
        return f"{self.place}.{key}" if self.place else key

    def note(self, key: str, problem: str) -> None:
        """Note what is wrong with a field."""
        self.problems.append(f"{self.at(key)}: {problem}")

    def refuse_others(self, allowed: Collection[str], what: str) -> None:
        """Note every field that is not one of those allowed."""
        for key in self.data:
            if key not in allowed:
                self.note(key, f"no field that this engine knows in {what}; it knows {', '.join(sorted(allowed))}")

    def text(self, key: str) -> str:
        """A text that must be there and not be empty."""
        value = self.data.get(key)
        if isinstance(value, str) and value:
            return value
        self.note(key, "is missing" if key not in self.data else f"must be a text, not {value!r}")
        return ""

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int | None:
        """A whole number within bounds."""
        value = self.data.get(key, default)
        if key in self.data and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
            self.note(key, f"must be a whole number from {least} to {most}, not {value!r}")
            return default
        return value

    def factor(self, key: str, default: float) -> float:
        """A number of at least 1."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
            self.note(key, f"must be a number of at least 1, not {value!r}")
            return default
        return value

    def path(self, key: str, *, reference: bool = False) -> Path | None:
        """A path; ``$`` where it is left out, None where it is null; a ``reference`` path into the state's data."""
        value = self.data.get(key, "$")
        if value is None:
            return None
        if not isinstance(value, str):
            self.note(key, f"must be a path ($...) or null, not {value!r}")
            return ROOT
        try:
            path = parse_path(value, reference=reference)
        except ValueError as error:
            self.note(key, str(error))
            return ROOT
        if path.in_context and reference:
            self.note(key, f"{value} lies in the context object, which cannot be written")
        return path

    def template(self, key: str) -> Template | None:
        """A payload template, None where it is left out."""
        if key not in self.data:
            return None
        value = self.data[key]
        if not isinstance(value, dict):
            self.note(key, f"must be a JSON object, not {value!r}")
            return None
        return compile_template(value, self.at(key), self.problems)

    def text_or_expression(self, key: str) -> str | Expression:
        """A text under ``key``, or a path or intrinsic function under ``keyPath``; empty without either."""
        dynamic = f"{key}Path"
        if dynamic not in self.data:
            return self.text(key) if key in self.data else ""
        if key in self.data:
            self.note(dynamic, f"cannot stand beside {key}")
        try:
            return parse_expression(self.text(dynamic))
        except ValueError as error:
            if self.data[dynamic]:
                self.note(dynamic, str(error))
            return ""

    def names(self, key: str) -> tuple[str, ...]:
        """A list of at least one text."""
        value = self.data.get(key)
        if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        self.note(key, "must be a list of at least one error name" if key in self.data else "is missing")
        return ()

    def objects(self, key: str) -> list[Fields]:
        """The JSON objects of a list; none where it is left out."""
        value = self.data.get(key, [])
        if not isinstance(value, list):
            self.note(key, f"must be a list, not {value!r}")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append(Fields(item, f"{self.at(key)}[{index}]", self.problems))
            else:
                self.note(f"{key}[{index}]", f"must be a JSON object, not {item!r}")
        return found
