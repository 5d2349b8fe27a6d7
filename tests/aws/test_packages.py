"""The functions' packages: what is in them, that it is the same each time, and how they run under Lambda's client."""

from __future__ import annotations

import base64
import http.server
import io
import json
import platform
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.aws.account import Account
from scones.aws.packages import FUNCTIONS, Package, Target, build_packages
from scones.aws.wheels import closure, fetch_wheels, pins
from scones.contracts import Order
from scones.dispatch import add_orders
from scones.errors import AwsError, DispatchError, SconesError, StoreError, TaskError
from scones.functions.runtime import Runtime
from scones.picture import decode
from scones.settings import Settings
from scones.store import open_bucket

from .conftest import HERE, build_or_skip
from .runtime_api import FunctionFailed, LambdaFunction

CONTRACT = Path(__file__).parents[1] / "contract"
GOLDEN: dict[str, Any] = json.loads((CONTRACT / "functions.json").read_text("utf-8"))
BLACK = (CONTRACT / GOLDEN["picture"]["file"]).read_bytes()
MOST_BYTES = 50_000_000
AARCH64 = 183
"""The machine, as ELF numbers it."""


def names(package: Package) -> list[str]:
    with zipfile.ZipFile(package.path) as packed:
        return packed.namelist()


def filled(value: Any) -> Any:
    """The same with the picture's text where the golden file names the picture."""
    text = json.dumps(value).replace('"black.png"', json.dumps(base64.b64encode(BLACK).decode()))
    return json.loads(text)


def shown(result: dict[str, Any]) -> dict[str, Any]:
    """The same with the picture's name where the picture is: its pixels count, and not how they are packed."""
    if result["body"].get("image_data"):
        found = decode(base64.b64decode(result["body"]["image_data"]))
        assert np.array_equal(np.asarray(found), np.asarray(decode(BLACK)))
        result["body"]["image_data"] = "black.png"
    return result


def in_process(function: str, environment: Mapping[str, str]) -> Callable[[Any], Any]:
    """The function as this process has it."""
    called: Callable[..., Any] = getattr(import_module(f"scones.functions.{function}"), function)
    if "runtime" not in signature(called).parameters:
        return called
    runtime = Runtime(Settings.load(environ=environment, file=None))
    return lambda event: called(event, runtime)


@pytest.fixture
def start(package_folders: Callable[[str], Path]) -> Iterator[Callable[[str, Mapping[str, str]], LambdaFunction]]:
    """Start a function of its package, until the test ends."""
    with ExitStack() as stack:

        def start(function: str, environment: Mapping[str, str]) -> LambdaFunction:
            handler = f"scones.functions.{function}.handler"
            return stack.enter_context(LambdaFunction(package_folders(function), handler, environment))

        yield start


@pytest.fixture(params=["file", "s3"])
def environment(request: pytest.FixtureRequest, endpoint_url: str, tmp_path: Path) -> dict[str, str]:
    """The functions' variables; the golden picture and orders lie in the store."""
    found = {"SCONES_STORE": str(tmp_path), "SCONES_ENDPOINT_URL": endpoint_url}
    if request.param == "s3":
        found["SCONES_STORE"] = "s3://"
        found |= aws_variables(request.getfixturevalue("aws"))
        request.getfixturevalue("account").s3.create_bucket(
            Bucket="scones", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    bucket = open_bucket(found["SCONES_STORE"], "scones")
    bucket.put(GOLDEN["picture"]["s3_key"], BLACK)
    add_orders(bucket, "main", [Order(**order) for order in GOLDEN["orders"]])
    return found


def aws_variables(url: str) -> dict[str, str]:
    """What a function needs to find an account that moto plays."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ALLOW_HTTP": "true",
    }


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "watch_capture"])
def test_a_packaged_function_answers_the_golden_events_as_this_process_does(
    function: str, environment: dict[str, str], start: Callable[..., LambdaFunction]
) -> None:
    packaged, here = start(function, environment), in_process(function, environment)
    for case in [case for case in GOLDEN["cases"] if case["function"] == function]:
        event = filled(case["event"])
        if "result" in case:
            assert shown(here(event)) == shown(packaged.invoke(event)) == case["result"], case["case"]
            continue
        with pytest.raises(SconesError) as raised:
            here(event)
        with pytest.raises(FunctionFailed) as failed:
            packaged.invoke(event)
        assert type(raised.value).__name__ == failed.value.error_type == case["error"], case["case"]
        assert failed.value.message == str(raised.value)


def test_the_golden_events_try_every_function_that_takes_any() -> None:
    assert {case["function"] for case in GOLDEN["cases"]} == set(FUNCTIONS) - {"watch_capture"}


def test_the_packaged_monitor_reads_the_store_and_publishes_figures(
    account: Account, aws: str, start: Callable[..., LambdaFunction]
) -> None:
    account.s3.create_bucket(Bucket="scones", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    home = open_bucket("s3://", "scones")
    home.put_json("stances/scones/00000001.json", {"who": "Ada", "why": "", "at": "2026-11-20T10:00:00Z"})
    told = {"SCONES_STORE": "s3://", "SCONES_MONITOR_ACTS": "true", **aws_variables(aws)}
    with pytest.raises(FunctionFailed, match="cannot look at stack scones"):  # it reads stances, and asks AWS
        start("watch_capture", told).invoke({})
    seen = home.latest("monitor/scones")
    assert seen is not None
    assert seen["records"] == 0


def test_a_packaged_function_tells_a_dead_endpoint_by_the_name_that_is_retried(
    start: Callable[..., LambdaFunction],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    [event] = [case["event"] for case in GOLDEN["cases"] if case["case"] == "the endpoint's answer is added"]
    function = start("classify_image", {"SCONES_ENDPOINT_URL": f"http://127.0.0.1:{port}"})
    for _ in range(2):
        with pytest.raises(FunctionFailed, match="is it running") as failed:
            function.invoke(filled(event))
        assert failed.value.error_type == "EndpointBusy"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "16 bits", "floats"])
def test_a_packaged_function_reads_pictures_of_every_kind(
    kind: str, start: Callable[..., LambdaFunction], tmp_path: Path
) -> None:
    values = np.linspace(0, 255, 400).reshape(20, 20)
    dtypes: dict[str, tuple[Any, str]] = {"16 bits": (np.uint16, "PNG"), "floats": (np.float32, "TIFF")}
    dtype, form = dtypes.get(kind, (np.uint8, kind))
    data = io.BytesIO()
    PIL.Image.fromarray((values * (257 if dtype is np.uint16 else 1)).astype(dtype)).save(data, form)
    open_bucket(str(tmp_path), "scones").put("pictures/1.png", data.getvalue())
    event = {"image_data": "", "s3_bucket": "scones", "s3_key": "pictures/1.png"}
    result = start("serialize_image", {"SCONES_STORE": str(tmp_path)}).invoke(event)
    assert decode(base64.b64decode(result["body"]["image_data"])).size == (20, 20)


def test_a_function_that_cannot_be_imported_says_what_is_missing(tmp_path: Path) -> None:
    # so would a package that lacks a module: this process has numpy, the function does not
    (tmp_path / "lacking.py").write_text("import numpy\n")
    with LambdaFunction(tmp_path, "lacking.handler", {}) as function:
        with pytest.raises(FunctionFailed, match="No module named 'numpy'") as failed:
            function.invoke({})
        assert failed.value.error_type == "Runtime.ImportModuleError"


def test_a_function_whose_process_ends_fails_and_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "ending.py").write_text(
        "import os\n\ndef handler(event, context):\n    return event if event else os._exit(3)\n"
    )
    with LambdaFunction(tmp_path, "ending.handler", {}) as function:
        with pytest.raises(FunctionFailed, match="exit status 3"):
            function.invoke({})
        assert function.invoke({"a": 1}) == {"a": 1}


def test_packages_of_the_same_input_are_kept_and_damaged_ones_are_built_anew_with_the_same_bytes(
    packages: dict[str, Package], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    def build(*_: Any) -> None:
        raise InterruptedError("it builds")

    digests = {name: package.digest for name, package in packages.items()}
    shutil.copytree(packages["route_driver"].path.parent, tmp_path / "packages")
    kept = build_packages(HERE, tmp_path, report=build)
    assert {package.function: package.digest for package in kept} == digests
    task = tmp_path / "own.toml"
    task.write_text('name = "own"\ntitle = "Own"\nlabels = ["a", "b"]\n[policy]\ntarget_risk = 0.1\n')
    with pytest.raises(StoreError, match="it builds"):
        build_packages(HERE, tmp_path, task_file=task, report=build)
    (tmp_path / "packages/route_driver.zip").write_bytes(b"half of it")
    again = build_or_skip(HERE, tmp_path, pytestconfig)
    assert {package.function: package.digest for package in again} == digests
    assert all(package.compiled for package in again)


def test_a_package_holds_what_its_function_needs_and_no_more(packages: dict[str, Package]) -> None:
    assert tuple(packages) == FUNCTIONS
    for function, package in packages.items():
        assert package.path.stat().st_size < MOST_BYTES
        assert package.key == f"packages/{function}-{package.digest[:16]}.zip"
        held = names(package)
        parts = {part for name in held for part in name.split("/")}
        assert not parts & {"tests", "pip", "numpy", "onnx", "boto3", "py.typed", "staging", "training", "aws", "cli"}
        assert not [name for name in held if ".dist-info/" in name or name.endswith(".pyi")]
        assert ("botocore" in parts) == (function in {"classify_image", "watch_capture"})
        assert ("PIL" in parts) == (function == "serialize_image")
        sources = {name for name in held if name.endswith(".py")}
        assert len([name for name in held if name.endswith(".pyc")]) == len(sources)
    services = {
        function: {
            name.split("/")[2] for name in names(package) if name.startswith("botocore/data/") if "-2.json" in name
        }
        for function, package in packages.items()
    }
    assert services["classify_image"] == {"sagemaker-runtime"}
    assert services["watch_capture"] == {"cloudformation"}


def test_nothing_in_a_zip_tells_when_where_or_by_whom_it_was_made(
    packages: dict[str, Package], package_folders: Callable[[str], Path]
) -> None:
    with zipfile.ZipFile(packages["filter_inferences"].path) as packed:
        found = packed.infolist()
    assert [info.filename for info in found] == sorted(info.filename for info in found)
    assert {(info.date_time, info.external_attr >> 16, info.create_system) for info in found} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }
    code = next((package_folders("filter_inferences") / "scones/__pycache__").glob("errors.*.pyc")).read_bytes()
    assert struct.unpack("<I", code[4:8]) == (1,), "a hash that is not checked, and no time"
    assert b"scones/errors.py" in code
    assert b"/scones/errors.py" not in code


def test_packages_for_arm_hold_its_binaries_alone_and_ones_own_task_and_depot(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    task, depot = tmp_path / "mine.toml", tmp_path / "north.toml"
    task.write_text('name = "mine"\ntitle = "Mine"\nlabels = ["a", "b"]\n[policy]\ntarget_risk = 0.1\n')
    depot.write_text('[vehicles.a]\nbay = "a bay"\npick = "nearest"\nmax_km = 1\n')
    folder = tmp_path / "out"
    folder.mkdir()
    for package in build_or_skip(Target("3.13", "arm64"), folder, pytestconfig, task_file=task, depot_file=depot):
        assert package.path.stat().st_size < MOST_BYTES
        assert package.compiled == (platform.python_version_tuple()[:2] == ("3", "13"))
        with zipfile.ZipFile(package.path) as packed:
            held = packed.namelist()
            binaries = [name for name in held if ".so" in name]
            machines = {struct.unpack("<H", packed.read(name)[18:20]) for name in binaries}
            assert machines == {(AARCH64,)}
            assert not [name for name in binaries if "x86_64" in name or ("cpython-3" in name and "-313-" not in name)]
            if "scones/task.py" in held:
                assert packed.read("scones/tasks/mine.toml") == task.read_bytes()
            if package.function == "route_driver":
                assert packed.read("scones/dispatch/depot.toml") == depot.read_bytes()


@pytest.mark.parametrize(
    ("given", "error"), [({"task_file": "x.toml"}, TaskError), ({"depot_file": "x.toml"}, DispatchError)]
)
def test_a_file_of_ones_own_that_is_wrong_is_told_before_anything_is_fetched(
    given: dict[str, str], error: type[SconesError], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    (tmp_path / "x.toml").write_text("name = 1")
    with pytest.raises(error):
        build_or_skip(HERE, tmp_path, pytestconfig, **{name: tmp_path / file for name, file in given.items()})


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot build packages in .*/out: .*; choose another place"):
        build_packages(HERE, tmp_path / "out")


def test_an_unknown_architecture_is_told() -> None:
    with pytest.raises(AwsError, match="arm64 or x86_64"):
        closure(["pydantic"], Target("3.13", "arm"))


def test_what_is_needed_depends_on_the_target() -> None:
    assert "typing-extensions" in closure(["obstore"], Target("3.12"))
    assert "typing-extensions" not in closure(["obstore"], Target("3.13"))
    older, newer = pins(["numpy"], Target("3.11")), pins(["numpy"], Target("3.13"))
    assert older["numpy"].version < newer["numpy"].version
    with pytest.raises(AwsError, match="lacks pytest"):
        pins(["pytest"], Target())


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let pip know of one index alone."""

    def point(url: str) -> None:
        for name, value in {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": url,
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            "PIP_RETRIES": "1",
            "PIP_DEFAULT_TIMEOUT": "5",
        }.items():
            monkeypatch.setenv(name, value)

    return point


def test_without_an_index_wheels_that_are_there_serve_and_damaged_ones_do_not(
    packages: dict[str, Package], no_index: Callable[[str], None], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    no_index(f"http://127.0.0.1:{port}/simple")
    kept = packages["filter_inferences"].path.parents[1] / "wheels" / f"{HERE.python}-{HERE.architecture}"
    pinned = pins(closure(["pydantic"], HERE), HERE)
    for path in kept.iterdir():
        shutil.copy(path, tmp_path)
    found = fetch_wheels(HERE, pinned, tmp_path)
    assert found.keys() == pinned.keys()
    found["pydantic"].write_bytes(found["pydantic"].read_bytes()[:-1])
    with pytest.raises(AwsError, match="index does not answer"):
        fetch_wheels(HERE, pinned, tmp_path)


def test_a_wheel_that_the_index_has_not_for_the_target_is_named(
    no_index: Callable[[str], None], tmp_path: Path
) -> None:
    (tmp_path / "six").mkdir()
    (tmp_path / "six/index.html").write_text("<!DOCTYPE html><title>six</title>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        no_index(f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(AwsError, match=r"no wheel of six==[\d.]+ for Python 3.13 on arm64: choose another"):
                fetch_wheels(Target(), pins(["six"], Target()), tmp_path / "wheels")
        finally:
            server.shutdown()
            thread.join()


def test_an_environment_without_pip_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(AwsError, match="-m ensurepip"):
        fetch_wheels(Target(), pins(["six"], Target()), tmp_path / "wheels")
