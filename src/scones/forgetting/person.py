"""Who is to be forgotten, and whether a key or a message is about them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from posixpath import dirname, join
from typing import Any, Final

from scones.errors import SettingsError
from scones.layout import Layout
from scones.store import is_key

__all__ = ["Person"]

_BUCKET: Final = re.compile(r"^s3://[^/]+/")


def _kind(key: str) -> str:
    return key.partition("/")[0]


_SERIES: Final = {_kind(Layout.claim_series("x")), _kind(Layout.assignment_series("x"))}
_BY_PICTURE: Final = {Layout.DEAD_LETTERS, Layout.RETRIES}


@dataclass(frozen=True)
class Person:
    """A driver, at one depot or at all of them; or one arrival alone.

    Attributes:
        driver_id: as in the keys of their arrivals.
        depot: None: any.
        task, arrival_id: of one arrival; None: all.

    Example:
        >>> Person.named("driver-7").owns("results/road/main/driver-7/a1.json")
        True
        >>> Person.named("road/main/driver-7/a1").owns("claims/road/main/driver-7/a1.b/00000001.json")
        False
    """

    driver_id: str
    depot: str | None = None
    task: str | None = None
    arrival_id: str | None = None

    @classmethod
    def named(cls, who: str, depot: str | None = None) -> Person:
        """As a person says it: a driver's id, or an arrival as ``{task}/{depot}/{driver_id}/{arrival_id}``.

        Raises:
            SettingsError: it is neither.
        """
        parts = who.split("/")
        if not is_key(who) or len(parts) not in (1, 4) or (depot is not None and (not is_key(depot) or "/" in depot)):
            raise SettingsError(
                f"{who!r}{'' if depot is None else f' of depot {depot!r}'} is nobody's name: give a driver's id, as "
                "driver-7, or one arrival, as vehicles/main/driver-7/a42"
            )
        if len(parts) == 1:
            return cls(who, depot)
        if depot not in (None, parts[1]):
            raise SettingsError(f"arrival {who} is of depot {parts[1]}, not {depot}: leave --depot out")
        return cls(parts[2], parts[1], parts[0], parts[3])

    def __str__(self) -> str:
        if self.arrival_id is not None:
            return f"arrival {self.task}/{self.depot}/{self.driver_id}/{self.arrival_id}"
        return f"driver {self.driver_id}" + (f" of depot {self.depot}" if self.depot else "")

    def owns(self, key: str) -> bool:
        """Whether a key below ``arrivals/``, ``claims/``, ``results/`` and so on is of one of their arrivals."""
        kind, _, rest = key.partition("/")
        if kind in _SERIES:
            return self._is(dirname(rest))
        if kind == Layout.ARRIVALS:
            return self._is(_stem(rest))
        rest = rest.removesuffix(".json")
        return self._is(_stem(rest) if kind in _BY_PICTURE else rest)

    def _is(self, arrival: str) -> bool:
        task, depot, driver_id, arrival_id = [*arrival.split("/", 3), "", "", "", ""][:4]
        return (
            driver_id == self.driver_id
            and self.depot in (None, depot)
            and self.task in (None, task)
            and self.arrival_id in (None, arrival_id)
        )

    def is_in(self, value: Any, pictures: Collection[str]) -> bool:
        """Whether a message, an item or a record names them, one of their arrivals or one of their pictures.

        Args:
            value: JSON, or text that holds JSON, as Step Functions writes the input of what failed.
            pictures: keys of theirs that lie outside of ``arrivals/``.
        """
        if isinstance(value, list):
            return any(self.is_in(one, pictures) for one in value)
        if isinstance(value, dict):
            return self._is_named(value, pictures) or any(self.is_in(one, pictures) for one in value.values())
        if not isinstance(value, str):
            return False
        if value.startswith(("{", "[")):
            try:
                return self.is_in(json.loads(value), pictures)
            except (ValueError, RecursionError):
                return False
        key = _BUCKET.sub("", value)
        return key in pictures or (key.startswith(f"{Layout.ARRIVALS}/") and self.owns(key))

    def _is_named(self, fields: dict[str, Any], pictures: Collection[str]) -> bool:
        manifest, ref = fields.get("manifest"), fields.get("s3_key")
        if isinstance(manifest, str) and isinstance(ref, str) and join(dirname(manifest), ref) in pictures:
            return True
        said = [fields.get(name) for name in ("task", "depot", "driver_id", "arrival_id")]
        return self._is("/".join(one if isinstance(one, str) else "" for one in said))


def _stem(name: str) -> str:
    """A path without its extension."""
    return name.rpartition(".")[0] if "." in name.rpartition("/")[2] else name
