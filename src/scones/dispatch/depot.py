"""A depot's bays and ranges, as a TOML file says."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scones.contracts import first_fault
from scones.errors import DispatchError

__all__ = ["Depot", "Vehicle", "load_depot"]


class Vehicle(BaseModel):
    """What one kind of vehicle gets.

    Attributes:
        bay: where its drivers load.
        pick: which of the open orders within range: the nearest or the farthest.
        min_km, max_km: the range, in kilometres from the depot, both ends included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bay: str
    pick: Literal["nearest", "farthest"]
    min_km: Annotated[float, Field(ge=0)] = 0.0
    max_km: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_range(self) -> Vehicle:
        if self.min_km > self.max_km:
            raise ValueError(f"min_km {self.min_km} is above max_km {self.max_km}")
        return self


class Depot(BaseModel):
    """What each kind of vehicle gets, by label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vehicles: dict[str, Vehicle] = Field(min_length=1)

    def vehicle(self, label: str) -> Vehicle:
        """What the vehicle of this label gets.

        Raises:
            DispatchError: nothing is said about it.
        """
        try:
            return self.vehicles[label]
        except KeyError:
            raise DispatchError(
                f"the depot says nothing about {label!r}: add [vehicles.{label}] to its file "
                f"(it has {', '.join(self.vehicles)})"
            ) from None


def load_depot(file: Path | None = None) -> Depot:
    """Read a depot's file; without one, the built-in depot.

    Raises:
        DispatchError: the file is missing or wrong.

    Example:
        >>> load_depot().vehicle("bicycle").pick
        'nearest'
    """
    origin = str(file) if file else "the built-in depot.toml"
    try:
        text = (file or resources.files("scones.dispatch") / "depot.toml").read_text(encoding="utf-8")
        return Depot.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DispatchError(f"depot file {origin} cannot be read ({error}): correct it") from error
    except ValidationError as error:
        raise DispatchError(f"depot file {origin}: {first_fault(error)}: correct it") from error
