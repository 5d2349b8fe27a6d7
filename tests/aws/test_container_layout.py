"""The container without an engine: what the Dockerfile would put where, in a folder, and both commands run from there.

What its RUN lines install from the network is the environment of the tests instead.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
import tomllib
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from scones.aws.image import source
from scones.picture import encode_png
from scones.serving.root import NOBODY
from scones.task import load_task

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "USER"}


@dataclass
class Stage:
    """A stage of the Dockerfile: its instructions, after those of the stage that it is built on."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for word, rest in self.lines if word == instruction]

    def environ(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.all("ENV") for pair in line.split())

    def user(self) -> str:
        return (["0", *self.all("USER")])[-1]


def read_stages(text: str) -> dict[str, Stage]:
    """The stages in their order; continued lines are one."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages: dict[str, Stage] = {}
    now = Stage("")
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        word, _, rest = line.strip().partition(" ")
        assert word in INSTRUCTIONS, line
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            now = stages[name] = Stage(name, list(stages[base].lines) if base in stages else [("FROM", base)])
        else:
            now.lines.append((word, rest.strip()))
    return stages


@dataclass(frozen=True)
class Container:
    """What the image would hold, below a folder, and what it says of itself."""

    root: Path
    stage: Stage

    def environ(self) -> dict[str, str]:
        """The image's environment; this machine's PATH comes after the folder's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCONES_", "AWS_", "PYTHON"))}
        told = self.stage.environ()
        path = told.pop("PATH").replace("/opt/", f"{self.root}/opt/").replace("$PATH", kept["PATH"])
        return {**kept, **told, "PATH": path, "OMP_NUM_THREADS": "1"}

    def start(self, *command: str, before: tuple[str, ...] = (), **environ: str) -> subprocess.Popen[str]:
        """Start ``docker run IMAGE command…``, after the words that may change where it runs."""
        [entry] = self.stage.all("ENTRYPOINT")
        return subprocess.Popen(
            [*before, *json.loads(entry), *command],
            cwd=self.root / self.stage.all("WORKDIR")[-1].lstrip("/"),
            env=self.environ() | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Docker would be sent: what CodeBuild gets."""
    folder = tmp_path_factory.mktemp("context")
    with zipfile.ZipFile(io.BytesIO(source(ROOT))) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def stages(context: Path) -> dict[str, Stage]:
    return read_stages((context / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def container(context: Path, stages: dict[str, Stage], tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The image's folders, made by the Dockerfile's own lines but for its RUNs."""
    built, image = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("image")
    place = built
    for word, rest in stages["build"].lines:
        if word == "WORKDIR":
            place = built / rest.lstrip("/")
            place.mkdir(parents=True)
        elif word == "COPY":
            *names, target = rest.split()
            for name in names:
                copy(context / name, place / target if (context / name).is_dir() else place / target / name)
    install(built / "build", built / "opt/scones")
    final = list(stages.values())[-1]
    for rest in final.all("COPY"):
        found = re.fullmatch(r"--from=build (\S+) (\S+)", rest)
        assert found, rest
        copy(built / found[1].lstrip("/"), image / found[2].lstrip("/"))
    (image / final.all("WORKDIR")[-1].lstrip("/")).mkdir(exist_ok=True)
    return Container(image, final)


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def install(project: Path, where: Path) -> None:
    """What ``pip install .`` does there, as the project says: its package, and its command."""
    told = tomllib.loads((project / "pyproject.toml").read_text())
    for name in (told["project"]["readme"], *told["project"]["license-files"]):
        assert (project / name).is_file(), name  # without it the wheel is not built
    venv.create(where, symlinks=True)
    packages = next(where.glob("lib/python*/site-packages"))
    for package in told["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        copy(project / package, packages / Path(package).name)
    # what the packages of the lock are here; the .pth files in there, as of an editable install, are not read
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    for command, target in told["project"]["scripts"].items():
        module, function = target.split(":")
        script = where / "bin" / command
        lines = ("#!/usr/bin/env python", "import sys", f"from {module} import {function}", f"sys.exit({function}())")
        script.write_text("\n".join(lines))
        script.chmod(0o755)


def put_data(ml: Path) -> Path:
    """What SageMaker lays into /opt/ml: a configuration, and 60 pictures."""
    rng = np.random.default_rng(0)
    labels = load_task("vehicles").labels
    for number in range(60):
        pixels = rng.normal(120, 40, (32, 32, 3)) + (40 if number % 2 else -40) * np.array([1, 0, -1])
        path = ml / f"input/data/train/{labels[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))))
    (ml / "input/config").mkdir(parents=True)
    (ml / "input/config/hyperparameters.json").write_text('{"seed": "3"}')
    return ml


@contextmanager
def ended(child: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Whatever happens, nothing goes on after the test."""
    try:
        with child:
            try:
                yield child
            finally:
                if child.poll() is None:
                    child.kill()
    finally:
        assert child.poll() is not None


def ready(child: subprocess.Popen[str]) -> dict[str, object]:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, child.communicate()
    return dict(json.loads(line))


def test_every_file_that_is_copied_is_in_the_context_and_nothing_else(context: Path, stages: dict[str, Stage]) -> None:
    copied: set[Path] = set()
    for rest in stages["build"].all("COPY"):
        *names, _ = rest.split()
        for name in names:
            assert (context / name).exists(), f"{name} is not there, or .dockerignore leaves it out"
            copied |= {path for path in (context / name, *(context / name).rglob("*")) if path.is_file()}
    sent = {path for path in context.rglob("*") if path.is_file()}
    assert {path.name for path in sent - copied} == {"Dockerfile", ".dockerignore"}
    assert not [path for path in sent if "__pycache__" in path.parts]


def test_what_a_wheel_would_hold_is_all_of_the_package(container: Container) -> None:
    [packages] = container.root.glob("opt/scones/lib/python*/site-packages/scones")
    kept = subprocess.run(["git", "ls-files", "src/scones"], cwd=ROOT, capture_output=True, text=True, check=False)
    missing = [name for name in kept.stdout.split() if not (packages / Path(name).relative_to("src/scones")).exists()]
    assert not [name for name in missing if (ROOT / name).exists()]


def test_the_bases_are_pinned_and_the_last_stages_install_nothing(stages: dict[str, Stage]) -> None:
    assert {stage.lines[0] for stage in stages.values()} == {("FROM", "${REGISTRY}python:3.11.14-slim-bookworm")}
    assert "PIP_ONLY_BINARY=:all:" in stages["build"].all("ENV")[0]
    for name in ("base", "serving", "sagemaker"):
        assert not stages[name].all("RUN")  # so there is no compiler, and no package but those of slim
    assert list(stages)[-1] == "sagemaker"


def test_every_locked_package_is_installed_by_its_hash(stages: dict[str, Stage]) -> None:
    commands = [part for run in stages["build"].all("RUN") for part in re.findall(r"pip install [^&;]+", run)]
    free = [one for one in commands if "--require-hashes" not in one]
    assert [one.split()[2:] for one in free] == [["torch==2.13.0"], ["--no-deps", "."]]


def test_the_one_that_only_serves_is_never_root(stages: dict[str, Stage]) -> None:
    assert stages["serving"].user() == f"{NOBODY}:{NOBODY}"
    assert stages["sagemaker"].user() == "0"  # SageMaker gives /opt/ml to root


def test_commands_are_in_exec_form_so_that_signals_reach_them(stages: dict[str, Stage]) -> None:
    for stage in ("serving", "sagemaker"):
        commands = stages[stage].all("ENTRYPOINT") + stages[stage].all("CMD")
        assert [json.loads(command) for command in commands] == [["scones"], ["--help"]]


def test_train_and_then_serve_run_from_the_layout(container: Container, tmp_path: Path) -> None:
    ml = put_data(tmp_path / "ml")
    with ended(container.start("train", "--ml-root", str(ml))) as child:
        out, err = child.communicate(timeout=180)
    assert child.returncode == 0, err
    assert "calibration_accuracy=" in out
    model = json.loads((ml / "model/bundle.json").read_text())
    assert model["seed"] == 3
    words = ("serve", "--model-dir", str(ml / "model"), "--no-capture", "--json")
    with ended(container.start(*words, SAGEMAKER_BIND_TO_PORT="0")) as child:
        told = ready(child)
        assert told["model_version"] == model["version"]
        port = str(told["url"]).rpartition(":")[2]
        assert health(container, port) == 0
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    assert health(container, port) != 0


def health(container: Container, port: str) -> int:
    """The exit code of the health check."""
    [check] = container.stage.all("HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    environ = container.environ() | {"SAGEMAKER_BIND_TO_PORT": port}
    return subprocess.run(command, env=environ, check=False, capture_output=True, timeout=30).returncode


# The folders at their own places, /opt/scones and /opt/ml, seen by this one process, which is the first of its kind:
# what an engine does, and what root may do on Linux.
ISOLATED = """
mount -t tmpfs tmpfs /opt
mkdir /opt/scones /opt/ml
mount --bind "$1" /opt/scones
mount --bind "$2" /opt/ml
shift 2
exec "$@"
"""


def isolated(container: Container, ml: Path) -> tuple[str, ...]:
    place = (str(container.root / "opt/scones"), str(ml))
    return ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ISOLATED, "sh", *place)


@pytest.fixture(scope="module")
def namespaces() -> None:
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", "mount -t tmpfs tmpfs /opt"]
    try:
        able = subprocess.run(command, check=False, capture_output=True, timeout=30).returncode == 0
    except FileNotFoundError:
        able = False
    if not able:
        pytest.skip("giving a process its own /opt needs root on Linux")


def first_process(child: subprocess.Popen[str]) -> int:
    """The process that is the first of its kind, by its number here."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    deadline = time.monotonic() + 30
    while not (found := children.read_text().split()):
        assert time.monotonic() < deadline, child.communicate()
        time.sleep(0.001)
    return int(found[0])


@pytest.fixture(scope="module")
def ml(container: Container, namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/ml after `docker run IMAGE train`."""
    ml = put_data(tmp_path_factory.mktemp("opt") / "ml")
    with ended(container.start("train", before=isolated(container, ml))) as child:
        out, err = child.communicate(timeout=180)
    assert child.returncode == 0, err
    assert "calibration_accuracy=" in out
    return ml


def test_as_sagemaker_starts_it_serve_finds_the_model_gives_up_root_and_ends_at_sigterm(
    container: Container, ml: Path
) -> None:
    (ml / "model").chmod(0o700)  # only root may read what SageMaker laid there
    environ = {"SAGEMAKER_BIND_TO_PORT": "0"}
    with ended(container.start("serve", "--json", before=isolated(container, ml), **environ)) as child:
        told = ready(child)
        assert told["pid"] == 1
        number = first_process(child)
        port = str(told["url"]).rpartition(":")[2]
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=10)
        assert answer.status == 200
        status = Path(f"/proc/{number}/status").read_text()
        for line in ("Uid", "Gid"):
            assert re.search(rf"^{line}:\t(.*)$", status, re.M)[1].split() == [str(NOBODY)] * 4  # type: ignore[index]
        assert re.search(r"^Groups:\s*$", status, re.M)
        assert re.search(r"^CapEff:\t0+$", status, re.M)
        picture = next((ml / "input/data/train").rglob("*.png")).read_bytes()
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", picture, {"Content-Type": "image/png"})
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert len(json.loads(response.read())) == 2
        os.kill(number, signal.SIGTERM)
        assert child.wait(30) == 0


def test_sigterm_ends_the_first_process_before_it_serves_too(container: Container, ml: Path) -> None:
    with ended(container.start("serve", before=isolated(container, ml), SAGEMAKER_BIND_TO_PORT="0")) as child:
        number = first_process(child)
        deadline = time.monotonic() + 30
        while child.poll() is None:  # the kernel drops it until there is a handler
            assert time.monotonic() < deadline
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(number, signal.SIGTERM)
            time.sleep(0.002)
        assert child.returncode == 128 + signal.SIGTERM


def test_a_command_that_is_none_ends_with_what_there_is(container: Container) -> None:
    with ended(container.start("trian")) as child:
        _, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "No such command 'trian'" in err


def test_the_layout_runs_its_own_scones(container: Container) -> None:
    code = "import scones; print(scones.__file__)"
    shown = subprocess.run(
        ["python", "-c", code], env=container.environ(), cwd=container.root, capture_output=True, text=True, check=True
    )
    assert Path(shown.stdout.strip()).is_relative_to(container.root / "opt/scones")
