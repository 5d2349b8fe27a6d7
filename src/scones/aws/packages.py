"""The functions' packages: zips for Lambda, the same bytes from the same input.

A package holds what its function needs and nothing else: the modules of ``scones`` that importing the handler
brings, the data files that those read, and from wheels of the target's platform what they import. A task of one's own
goes in as ``scones/tasks/{name}.toml`` and is named by ``SCONES_TASK``; a depot of one's own takes the place of the
built-in ``scones/dispatch/depot.toml``, so no variable names it.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import scones
from scones.aws.wheels import Pin, Target, closure, fetch_wheels, pins
from scones.dispatch import load_depot
from scones.errors import AwsError
from scones.staging.source import Progress, no_progress
from scones.store import disk_error
from scones.task import load_task

__all__ = ["FUNCTIONS", "Package", "Target", "build_packages"]

_SCONES = Path(scones.__file__).parent


@dataclass(frozen=True)
class _Need:
    """What importing a handler does not tell.

    Attributes:
        distributions: what its modules import, besides what those need themselves.
        later: modules of scones that are imported once it runs.
        services: of AWS, that it calls through botocore.
    """

    distributions: tuple[str, ...]
    later: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


_NEEDS = {
    "serialize_image": _Need(("obstore", "pillow", "pydantic")),
    "classify_image": _Need(
        ("botocore", "obstore", "pydantic"), ("scones.functions.endpoint",), ("sagemaker-runtime",)
    ),
    "filter_inferences": _Need(("pydantic",)),
    "route_driver": _Need(("obstore", "pydantic")),
    "watch_capture": _Need(("botocore", "obstore", "pydantic"), services=("cloudformation",)),
}
FUNCTIONS = tuple(_NEEDS)
"""The functions that have a package; a handler is ``scones.functions.{function}.handler``."""

_READ_BY = {"scones.task": "tasks/*.toml", "scones.dispatch.depot": "dispatch/depot.toml"}
"""The data files that a module reads."""

_LEFT_OUT = (
    "*.pyi",
    "*/py.typed",
    "*.data/*",
    "*.dist-info/*",
    "*/tests/*",
    "pydantic/mypy.py",
    "pydantic/v1/*",
    # Pillow's fonts, colour management, windows and AVIF, with the libraries that only they use
    "PIL/_avif.*",
    "PIL/_imagingcms.*",
    "PIL/_imagingft.*",
    "PIL/_imagingtk.*",
    *(f"pillow.libs/lib{name}*" for name in ("avif", "brotli", "freetype", "harfbuzz", "lcms2", "png16")),
    # botocore's services but for those named
    "botocore/data/*/*",
)
_INPUT = "input.json"
"""Lies beside the packages, and says what they were built of."""
_THEN = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name

_LIST_MODULES = """
import importlib, json, sys
found = {}
for function, modules in json.loads(sys.argv[1]).items():
    for name in modules:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.partition(".")[0] == "scones"]
    found[function] = {name: sys.modules[name].__file__ for name in ours}
    for name in ours:  # the next function brings its own
        del sys.modules[name]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Package:
    """A function's package.

    Attributes:
        function: by its Python name.
        path: the zip.
        digest: SHA-256 of it, in hexadecimal.
        compiled: whether byte code lies in it. Lambda cannot keep any that it makes, so without it each cold start
            compiles the sources.
    """

    function: str
    path: Path
    digest: str
    compiled: bool

    @property
    def key(self) -> str:
        """Its key in the bucket of artefacts."""
        return f"packages/{self.function}-{self.digest[:16]}.zip"


def build_packages(
    target: Target,
    folder: Path,
    *,
    task_file: Path | None = None,
    depot_file: Path | None = None,
    report: Progress = no_progress,
) -> list[Package]:
    """Build the package of each function; what lies there of the same input is taken as it is.

    Byte code goes in where this interpreter is of the target's version.

    Args:
        target: what they run on.
        folder: where ``wheels/`` is kept from one time to the next and ``packages/`` is written.
        task_file: a task of one's own.
        depot_file: a depot of one's own.
        report: told how it gets on.

    Raises:
        AwsError: pip is missing, the package index does not answer, or it has no wheel for the target.
        TaskError, DispatchError: a file of one's own is missing or wrong.
        StoreError: the folder, or the system's own for what is passing, cannot be written.
    """
    own = _own_files(task_file, depot_file)
    try:
        return _build(target, folder, own, report)
    except OSError as error:
        raise disk_error(f"cannot build packages in {folder}", error) from error


def _build(target: Target, folder: Path, own: Mapping[str, bytes], report: Progress) -> list[Package]:
    needed = {function: closure(need.distributions, target) for function, need in _NEEDS.items()}
    pinned = pins(sorted({name for names in needed.values() for name in names}), target)
    input_ = _digest_of_input(target, pinned, own)
    if kept := _kept(folder / "packages", input_):
        return kept
    report("fetching wheels", 0, len(pinned))
    wheels = fetch_wheels(target, pinned, folder / "wheels" / f"{target.python}-{target.architecture}")
    report("fetching wheels", len(pinned), len(pinned))
    with tempfile.TemporaryDirectory(prefix="scones-") as scratch:
        tree = Path(scratch)
        contents = {name: _unpack(wheel, tree) for name, wheel in wheels.items()}
        ours = _copy_ours(tree, own)
        if target.here:
            report("compiling", 0, 1)
            _compile(tree)
            report("compiling", 1, 1)
        wanted = {}
        for function, need in _NEEDS.items():
            theirs = {name for distribution in needed[function] for name in contents[distribution]}
            wanted[function] = ours[function] | {name for name in theirs if not _left_out(name, need.services)}
        report("packing", 0, len(FUNCTIONS))
        with ThreadPoolExecutor() as pool:  # what takes time is zlib, which runs beside others
            packing = [
                pool.submit(_pack, function, tree, names, folder / "packages", compiled=target.here)
                for function, names in wanted.items()
            ]
            for done, _ in enumerate(as_completed(packing), start=1):
                report("packing", done, len(FUNCTIONS))
        packages = [packed.result() for packed in packing]
    digests = {package.function: package.digest for package in packages}
    (folder / "packages" / _INPUT).write_text(json.dumps([input_, target.here, digests]), encoding="utf-8")
    return packages


def _digest_of_input(target: Target, pinned: Mapping[str, Pin], own: Mapping[str, bytes]) -> str:
    """What the packages follow from: all of scones, as importing a handler tells only later what of it goes in."""
    wheels = [(name, pin.version, sorted(pin.hashes)) for name, pin in sorted(pinned.items())]
    found = hashlib.sha256(repr((target, sys.version, wheels)).encode())
    sources = {f"scones/{path.relative_to(_SCONES).as_posix()}": path for path in _SCONES.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in sources.items() if "/__pycache__/" not in name}
    contents |= own
    for name in sorted(contents):
        found.update(f"{name} {len(contents[name])} ".encode() + contents[name])
    return found.hexdigest()


def _kept(folder: Path, input_: str) -> list[Package] | None:
    """The packages in a folder, where they were built of this input and are whole."""
    try:
        known, compiled, digests = json.loads((folder / _INPUT).read_text(encoding="utf-8"))
        if known != input_:
            return None
        packages = [Package(name, folder / f"{name}.zip", digests[name], compiled) for name in FUNCTIONS]
        whole = all(hashlib.sha256(one.path.read_bytes()).hexdigest() == one.digest for one in packages)
    except (OSError, ValueError, KeyError):  # none were built, or somebody was at it
        return None
    return packages if whole else None


def _own_files(task_file: Path | None, depot_file: Path | None) -> dict[str, bytes]:
    """A task and a depot of one's own, checked, by their names in a package."""
    own = {}
    if task_file is not None:
        own[f"scones/tasks/{load_task(str(task_file)).name}.toml"] = task_file.read_bytes()
    if depot_file is not None:
        load_depot(depot_file)
        own["scones/dispatch/depot.toml"] = depot_file.read_bytes()
    return own


def _unpack(wheel: Path, tree: Path) -> list[str]:
    """Unpack what any function reads of a wheel; its names."""
    services = tuple(service for need in _NEEDS.values() for service in need.services)
    with zipfile.ZipFile(wheel) as opened:
        names = [name for name in opened.namelist() if not (name.endswith("/") or _left_out(name, services))]
        opened.extractall(tree, names)
    return names


def _copy_ours(tree: Path, own: Mapping[str, bytes]) -> dict[str, set[str]]:
    """Copy what is ours; the names of each function's modules and data files."""
    asked = {function: [f"scones.functions.{function}", *need.later] for function, need in _NEEDS.items()}
    # in a process of its own, where nothing is loaded yet; -P: not what happens to lie in the working directory
    found = json.loads(_run("import the functions", ["-P", "-c", _LIST_MODULES, json.dumps(asked)]))
    named: dict[str, set[str]] = {}
    for function, modules in found.items():
        read = [pattern for module, pattern in _READ_BY.items() if module in modules]
        files = [Path(file) for file in modules.values()] + [file for pattern in read for file in _SCONES.glob(pattern)]
        copies = {file.relative_to(_SCONES.parent).as_posix(): file.read_bytes() for file in files}
        copies |= {name: data for name, data in own.items() if any(fnmatchcase(name, f"scones/{one}") for one in read)}
        for name, data in copies.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(data)
        named[function] = set(copies)
    return named


def _compile(tree: Path) -> None:
    """Put byte code beside the sources: it trusts them unseen, and names them by their place in the package."""
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(tree), str(tree)]
    _run("compile the functions", ["-I", "-W", "ignore", "-m", "compileall", *options])


def _run(doing: str, words: list[str]) -> str:
    """What another Python prints; an AwsError where it fails, which says what it was doing."""
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        said = (ran.stdout + ran.stderr).strip().splitlines() or ["no word"]
        raise AwsError(f"cannot {doing} ({said[-1]}): is the disk full, or scones' environment damaged?")
    return ran.stdout


def _left_out(name: str, services: tuple[str, ...]) -> bool:
    """Whether a file of a wheel is none that a function reads."""
    if any(name.startswith(f"botocore/data/{service}/") for service in services):
        return name.endswith("/examples-1.json")
    return any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)


def _pack(function: str, tree: Path, names: set[str], folder: Path, *, compiled: bool) -> Package:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in sorted([*names, *(_code_of(name) for name in names if compiled and name.endswith(".py"))]):
            info = zipfile.ZipInfo(name, _THEN)
            info.create_system = 3  # Unix, wherever it is made
            info.external_attr = 0o100644 << 16
            packed.writestr(info, (tree / name).read_bytes(), zipfile.ZIP_DEFLATED)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{function}.zip"
    path.write_bytes(buffer.getvalue())
    return Package(function, path, hashlib.sha256(buffer.getvalue()).hexdigest(), compiled)


def _code_of(source: str) -> str:
    """Where a source's byte code lies, wherever this process keeps its own (PYTHONPYCACHEPREFIX)."""
    path = PurePosixPath(source)
    return str(path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc")
