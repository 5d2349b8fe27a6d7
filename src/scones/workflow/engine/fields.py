"""Reads the fields of a JSON object of a definition; every problem is noted with its place, none raised."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Literal, TypeAlias, TypeVar

from scones.workflow.engine.data import Made, Template, compile_queries, compile_template
from scones.workflow.engine.intrinsics import Expression, parse_expression
from scones.workflow.engine.jsonata import Query, compile_query, is_query
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import VARIABLE, Path, parse_path

__all__ = ["ROOT", "Fields", "Language"]

ROOT = Path("$", "$", ())

Language: TypeAlias = Literal["JSONPath", "JSONata"]
_QUERIES: Final = {"Arguments", "Condition", "Items", "Output"}
_PATHS: Final = {"Parameters", "Result", "ResultSelector", "Variable"}

Number = TypeVar("Number", bound=float | None)


class Fields:
    """The fields of one JSON object.

    Each reader answers the field's value, or a harmless one of the same type after it has noted a problem.

    Args:
        data: the object.
        place: where it stands in the document, such as ``States.Classify``; empty for the document itself.
        problems: where each problem is added, as ``place: what is wrong``.
        language: in which query language its fields are.
    """

    def __init__(self, data: dict[str, Json], place: str, problems: list[str], language: Language = "JSONPath") -> None:
        self.data = data
        self.place = place
        self.problems = problems
        self.language = language

    def within(self, data: dict[str, Json], key: str) -> Fields:
        """An object inside this one, in the same language."""
        return Fields(data, self.at(key), self.problems, self.language)

    def at(self, key: str) -> str:
        """The place of a field."""
        return f"{self.place}.{key}" if self.place else key

    def note(self, key: str, problem: str) -> None:
        """Note what is wrong with a field."""
        self.problems.append(f"{self.at(key)}: {problem}")

    def refuse_others(self, allowed: Collection[str], what: str) -> None:
        """Note every field that is not one of those allowed."""
        for key in self.data:
            if key in allowed:
                continue
            of_path = key in _PATHS or key.endswith("Path")
            if key in _QUERIES if self.language == "JSONPath" else of_path:
                other = "JSONPath" if of_path else "JSONata"
                self.note(key, f"is a field of {other}; the QueryLanguage of {what} is {self.language} here")
            else:
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

    def path(self, key: str, *, reference: bool = False, anywhere: bool = False) -> Path | None:
        """A path; ``$`` where it is left out, None where it is null.

        Args:
            key: the field.
            reference: it must name one place, which is in the state's data ...
            anywhere: ... or in the context object or a variable.
        """
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
        if path.root != "$" and reference and not anywhere:
            what = "the context object" if path.root == "$$" else "a variable; use Assign"
            self.note(key, f"{value} lies in {what}, which cannot be written here")
        return path

    def whole_or_path(self, key: str, least: int, most: int, default: int | None = None) -> int | Path | Query | None:
        """A whole number within bounds under ``key``, or where it comes from: JSONata, or a path under ``keyPath``."""
        return self._or_path(key, lambda: self.whole(key, least, most, default))

    def share_or_path(self, key: str, default: float) -> float | Path | Query:
        """A percentage, 0 to 100, in the same ways."""
        found = self._or_path(key, lambda: self._share(key, default))
        return default if found is None else found

    def _share(self, key: str, default: float) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            self.note(key, f"must be a percentage from 0 to 100, not {value!r}")
            return default
        return value

    def query(self, key: str) -> Query | None:
        """An expression, where the language is JSONata and the field holds one."""
        value: Json = self.data.get(key)
        if self.language == "JSONPath" or not is_query(value):
            return None
        return compile_query(value, self.at(key), self.problems) or Query(
            "", self.at(key), frozenset(), frozenset(), None
        )

    def _or_path(self, key: str, read: Callable[[], Number]) -> Number | Path | Query | None:
        if self.language == "JSONata":
            return self.query(key) or read()
        dynamic = f"{key}Path"
        if dynamic not in self.data:
            return read()
        if key in self.data:
            self.note(dynamic, f"cannot stand beside {key}")
        return self.path(dynamic)

    def template(self, key: str, extra: Collection[str] = ()) -> Template | None:
        """A payload template, None where it is left out; ``extra`` is what JSONata's ``$states`` has more there."""
        if self.language == "JSONata":
            return self.made(key, extra)
        inner = self.inner(key)
        return None if inner is None else compile_template(inner.data, inner.place, self.problems)

    def made(self, key: str, extra: Collection[str] = ()) -> Made | None:
        """Any JSON with JSONata expressions in it, None where it is left out."""
        if key not in self.data:
            return None
        return Made(compile_queries(self.data[key], self.at(key), self.problems, extra))

    def output(self, extra: Collection[str] = ()) -> Path | Made | None:
        """OutputPath, or Output; ``$`` where it is left out."""
        if self.language == "JSONPath":
            return self.path("OutputPath")
        return self.made("Output", extra) or ROOT

    def text_or_expression(self, key: str) -> str | Expression | Query:
        """A text under ``key``, or where the data says it: JSONata, or a path or intrinsic function under ``keyPath``.

        Empty without either.
        """
        if (query := self.query(key)) is not None:
            return query
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

    def variables(self, key: str, extra: Collection[str] = ()) -> Template | None:
        """An Assign: a template whose keys name variables; ``extra`` as for :meth:`template`."""
        inner = self.inner(key)
        if inner is None:
            return None
        template = self.template(key, extra)
        template = template.template if isinstance(template, Made) else template
        for name in template or {}:
            if not VARIABLE.fullmatch(name) or name == "states":
                self.note(f"{key}.{name}", "is no name of a variable: use up to 80 letters, digits and _, not states")
        return template

    def names(self, key: str, what: str = "error name") -> tuple[str, ...]:
        """A list of at least one text."""
        value = self.data.get(key)
        if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        self.note(key, f"must be a list of at least one {what}" if key in self.data else "is missing")
        return ()

    def inner(self, key: str) -> Fields | None:
        """A JSON object; None where it is left out."""
        if key not in self.data:
            return None
        value = self.data[key]
        if not isinstance(value, dict):
            self.note(key, f"must be a JSON object, not {value!r}")
            return None
        return self.within(value, key)

    def word(self, key: str, allowed: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self.data.get(key, default)
        if value not in allowed:
            self.note(key, f"must be {' or '.join(sorted(allowed))}, not {value!r}")
            return default
        return str(value)

    def objects(self, key: str) -> list[Fields]:
        """The JSON objects of a list; none where it is left out."""
        value = self.data.get(key, [])
        if not isinstance(value, list):
            self.note(key, f"must be a list, not {value!r}")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append(self.within(item, f"{key}[{index}]"))
            else:
                self.note(f"{key}[{index}]", f"must be a JSON object, not {item!r}")
        return found
