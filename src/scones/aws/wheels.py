"""The wheels that a function's package is made of: which ones, and where they come from."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from scones.errors import AwsError

__all__ = ["Pin", "Target", "closure", "fetch_wheels", "pins"]

_LOCK = Path(__file__).parents[3] / "requirements.lock"
_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
_GLIBC = range(34, 16, -1)
"""Lambda's Python 3.12 and later run on glibc 2.34; a wheel may ask for any that is older."""


@dataclass(frozen=True)
class Target:
    """What a package is built for.

    Attributes:
        python: as ``3.13``.
        architecture: ``arm64`` or ``x86_64``, in Lambda's words.
    """

    python: str = "3.13"
    architecture: str = "arm64"

    @property
    def machine(self) -> str:
        """The architecture in the words of wheels.

        Raises:
            AwsError: Lambda has no such architecture.
        """
        if self.architecture not in _MACHINES:
            raise AwsError(f"architecture {self.architecture!r} is none of Lambda's: use {' or '.join(_MACHINES)}")
        return _MACHINES[self.architecture]

    @property
    def here(self) -> bool:
        """Whether this interpreter makes byte code that the target can read."""
        return sys.implementation.name == "cpython" and self.python == "{}.{}".format(*sys.version_info)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of wheels that run there, the newest first."""
        return (*(f"manylinux_2_{minor}_{self.machine}" for minor in _GLIBC), f"manylinux2014_{self.machine}")

    def holds(self, marker: Marker | None) -> bool:
        """Whether a requirement with this marker is one there."""
        there = {
            "extra": "",
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }
        return marker is None or marker.evaluate(there)


@dataclass(frozen=True)
class Pin:
    """A distribution as the lock has it: its version, and the SHA-256 of each of its files."""

    version: str
    hashes: frozenset[str]


def closure(names: Iterable[str], target: Target) -> list[str]:
    """Distributions and all that they need on the target, by what the installed ones say of themselves.

    Returns:
        Canonical names, sorted.

    Raises:
        AwsError: one of them is not installed.

    Example:
        >>> closure(["python-dateutil"], Target())
        ['python-dateutil', 'six']
    """
    found: set[str] = set()
    open_ = [canonicalize_name(name) for name in names]
    while open_:
        name = open_.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = [Requirement(text) for text in metadata.requires(name) or ()]
        except metadata.PackageNotFoundError as error:
            raise AwsError(f"{name} is not installed: install scones anew, with all it depends on") from error
        open_ += [canonicalize_name(need.name) for need in needs if target.holds(need.marker)]
    return sorted(found)


def pins(names: Iterable[str], target: Target) -> dict[str, Pin]:
    """What the project's lock says of distributions.

    Raises:
        AwsError: there is no lock, or one of them is not in it.
    """
    try:
        text = _LOCK.read_text(encoding="utf-8")
    except OSError as error:
        raise AwsError(f"{_LOCK} cannot be read ({error.strerror}): run from a checkout of the project") from error
    locked: dict[str, Pin] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line[:1].isalnum():
            requirement, *hashes = re.split(r"\s+--hash=sha256:", line.rstrip())
            need = Requirement(requirement)
            if target.holds(need.marker):
                version = next(iter(need.specifier)).version
                locked[canonicalize_name(need.name)] = Pin(version, frozenset(hashes))
    if missing := [name for name in names if name not in locked]:
        raise AwsError(f"{_LOCK.name} lacks {', '.join(missing)}: write it anew with `make lock`")
    return {name: locked[name] for name in names}


def fetch_wheels(target: Target, pinned: Mapping[str, Pin], folder: Path) -> dict[str, Path]:
    """Have wheels in a folder; those that lie there already are checked and not fetched again.

    Args:
        target: what they must run on.
        pinned: by name.
        folder: for this target alone.

    Returns:
        The wheels by name.

    Raises:
        AwsError: pip is missing, the package index does not answer, or it has no wheel for the target.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = _lying(pinned, folder)
    if missing := {name: pin for name, pin in pinned.items() if name not in found}:
        _download(target, missing, folder)
        found |= _lying(missing, folder)
        assert found.keys() == pinned.keys()  # pip has said so
    return found


def _lying(pinned: Mapping[str, Pin], folder: Path) -> dict[str, Path]:
    """The wheels in a folder that are what the lock says."""
    found = {}
    for path in sorted(folder.glob("*.whl")):
        name = str(parse_wheel_filename(path.name)[0])
        if name in pinned and hashlib.sha256(path.read_bytes()).hexdigest() in pinned[name].hashes:
            found[name] = path
    return found


def _download(target: Target, missing: Mapping[str, Pin], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="scones-") as scratch:
        wanted = Path(scratch, "requirements.txt")
        # without markers: pip would weigh them for this machine
        wanted.write_text(
            "".join(
                " ".join([f"{name}=={pin.version}", *(f"--hash=sha256:{one}" for one in sorted(pin.hashes))]) + "\n"
                for name, pin in missing.items()
            ),
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [word for platform in target.platforms for word in ("--platform", platform)]
        command += ["--no-input", "--disable-pip-version-check", "--dest", str(folder), "--requirement", str(wanted)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise AwsError(_what_pip_says(ran.stdout + ran.stderr, target))


def _what_pip_says(said: str, target: Target) -> str:
    if "No module named pip" in said:
        return f"pip is not there, which fetches the functions' wheels: `{sys.executable} -m ensurepip`"
    if "WARNING: Retrying (" in said:  # it then says as well that there is no such wheel
        return "the package index does not answer, so the functions' wheels cannot be fetched: is the network up?"
    if lacking := re.search(r"No matching distribution found for ([\w.-]+==[\w.]+)", said):
        return (
            f"the package index has no wheel of {lacking[1]} for Python {target.python} on {target.architecture}: "
            "choose another runtime or architecture, or pin another version of it"
        )
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return f"pip cannot fetch the functions' wheels ({errors[0] if errors else said.strip()[-200:]}): see to it"
