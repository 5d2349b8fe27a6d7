"""The first function: claim, check, serialise."""

import base64
import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.errors import MessageError, ObjectMissing, PictureError, PictureTooLarge, SconesError
from scones.functions.runtime import Runtime
from scones.functions.serialize_image import serialize_image
from scones.picture import MAX_BYTES, encode_png
from scones.settings import Settings
from scones.store import Layout

KEY = "arrivals/vehicles/main/driver-1/a1.png"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(tmp_path: Path, clock: Clock) -> Runtime:
    return Runtime(Settings.load(environ={}, file=None, store=str(tmp_path)), clock)


def picture(size: tuple[int, int] = (32, 32), seed: int = 0) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def event(key: str = KEY, **more: Any) -> dict[str, Any]:
    return {"image_data": "", "s3_bucket": "scones", "s3_key": key, **more}


def ref(name: str, start_time: str = "2026-11-20T10:00:00Z") -> dict[str, str]:
    return {"name": name, "start_time": start_time}


def shown(answer: dict[str, Any]) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(answer["body"]["image_data"])))


def test_a_32_by_32_png_passes_pixel_for_pixel(runtime: Runtime) -> None:
    image = picture()
    runtime.home.put(KEY, encode_png(image))
    answer = serialize_image(event(), runtime)
    assert answer["statusCode"] == 200
    assert answer["body"]["inferences"] == []
    assert answer["body"]["driver_id"] == "driver-1"
    assert np.array_equal(np.asarray(shown(answer)), np.asarray(image))


def test_the_answer_is_text_that_json_can_carry(runtime: Runtime) -> None:
    # others put bytes into it, and the workflow broke
    runtime.home.put(KEY, encode_png(picture()))
    answer = serialize_image(event(), runtime)
    assert isinstance(answer["body"]["image_data"], str)
    assert json.loads(json.dumps(answer)) == answer


def test_a_12_megapixel_photograph_stays_far_under_the_state_limit(runtime: Runtime) -> None:
    buffer = io.BytesIO()
    noisy = picture((1000, 750)).resize((4000, 3000))
    noisy.save(buffer, "JPEG", quality=90)
    runtime.home.put(KEY.replace("png", "jpg"), buffer.getvalue())
    answer = serialize_image(event(KEY.replace("png", "jpg")), runtime)
    assert len(json.dumps(answer)) < 262_144 * 0.6
    assert max(shown(answer).size) <= 1024
    assert answer["body"]["content_type"] == "image/jpeg"


def test_a_picture_is_never_enlarged(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture((7, 5))))
    assert shown(serialize_image(event(), runtime)).size == (7, 5)


def test_a_photograph_lying_on_its_side_is_set_upright(runtime: Runtime) -> None:
    image = picture((40, 20))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    runtime.home.put(KEY, buffer.getvalue())
    assert shown(serialize_image(event(), runtime)).size == (20, 40)


def test_alpha_is_dropped(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture().convert("RGBA")))
    assert shown(serialize_image(event(), runtime)).mode == "RGB"


def test_the_courses_own_event_works(runtime: Runtime) -> None:
    runtime.home.put("test/bicycle_s_000513.png", encode_png(picture()))
    body = serialize_image(event("test/bicycle_s_000513.png"), runtime)["body"]
    assert (body["task"], body["depot"], body["driver_id"]) == ("vehicles", "main", "unknown")


def test_the_manifest_test_lst_is_not_taken_for_a_picture(runtime: Runtime) -> None:
    runtime.home.put("test/test.lst", b"1\t0\ttest/a.png\n")
    with pytest.raises(PictureError, match=r"test\.lst is no picture by its name"):
        serialize_image(event("test/test.lst"), runtime)


def test_text_named_png_is_refused_by_name(runtime: Runtime) -> None:
    runtime.home.put(KEY, b"hello")
    with pytest.raises(PictureError, match=r"a1.png is no picture that can be read"):
        serialize_image(event(), runtime)


def test_a_missing_object_is_named(runtime: Runtime) -> None:
    with pytest.raises(ObjectMissing, match=r"a1\.png"):
        serialize_image(event(), runtime)


def test_an_event_without_its_key_is_refused(runtime: Runtime) -> None:
    with pytest.raises(MessageError, match="field s3_key"):
        serialize_image({"s3_bucket": "scones"}, runtime)


def test_the_same_arrival_in_a_second_execution_is_a_duplicate(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    assert not serialize_image(event(execution=ref("e1")), runtime)["body"]["duplicate"]
    second = serialize_image(event(execution=ref("e2")), runtime)
    assert second["statusCode"] == 200
    assert second["body"]["duplicate"]


def test_of_many_executions_of_one_arrival_at_the_same_moment_one_has_it(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    together = threading.Barrier(16)

    def serialize(n: int) -> bool:
        together.wait()
        return bool(serialize_image(event(execution=ref(f"e{n}")), runtime)["body"]["duplicate"])

    with ThreadPoolExecutor(16) as pool:
        duplicates = [*pool.map(serialize, range(16))]
    assert sorted(duplicates) == [False] + [True] * 15
    [claim] = runtime.home.list(Layout.claim_series("vehicles/main/driver-1/a1"))
    assert runtime.home.get_json(claim)["name"] == f"e{duplicates.index(False)}"


def test_of_many_executions_that_take_a_claim_over_at_the_same_moment_one_gets_it(
    runtime: Runtime, clock: Clock
) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("dead")), runtime)
    clock.now += runtime.settings.claim_lease + 1
    together = threading.Barrier(16)

    def serialize(n: int) -> bool:
        together.wait()
        return bool(serialize_image(event(execution=ref(f"e{n}")), runtime)["body"]["duplicate"])

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(serialize, range(16))) == [False] + [True] * 15


def test_a_retried_step_finds_its_own_claim(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    first = serialize_image(event(execution=ref("e1")), runtime)
    assert serialize_image(event(execution=ref("e1")), runtime) == first


def test_a_claim_without_a_result_is_taken_over_after_the_lease(runtime: Runtime, clock: Clock) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    clock.now += runtime.settings.claim_lease + 1
    assert not serialize_image(event(execution=ref("e2")), runtime)["body"]["duplicate"]
    assert serialize_image(event(execution=ref("e1")), runtime)["body"]["duplicate"], "the first one has lost it"


@pytest.mark.parametrize("result", [Layout.route, Layout.result, Layout.review])
def test_a_claim_with_a_result_is_never_taken_over(
    result: Callable[[str], str], runtime: Runtime, clock: Clock
) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    runtime.home.put_json(result("vehicles/main/driver-1/a1"), {})
    clock.now += 10 * runtime.settings.claim_lease
    assert serialize_image(event(execution=ref("e2"), supersedes=["e0", "e1"]), runtime)["body"]["duplicate"]


def test_a_failed_execution_is_superseded_at_once(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    assert not serialize_image(event(execution=ref("e2"), supersedes=["e0", "e1"]), runtime)["body"]["duplicate"]


def test_a_clock_that_went_backwards_takes_nothing_over(runtime: Runtime, clock: Clock) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    clock.now -= 10 * runtime.settings.claim_lease
    assert serialize_image(event(execution=ref("e2")), runtime)["body"]["duplicate"]


def test_without_an_execution_nothing_is_claimed(runtime: Runtime) -> None:
    runtime.home.put("sets/v/pictures/1.png", encode_png(picture()))
    listed = event("pictures/1.png", manifest="sets/v/manifest.jsonl", task="road")
    for _ in range(2):
        body = serialize_image(listed, runtime)["body"]
        assert (body["task"], body["s3_key"], body["duplicate"]) == ("road", "sets/v/pictures/1.png", False)
    assert list(runtime.home.list("claims")) == []


def test_two_depots_may_use_the_same_arrival_id(runtime: Runtime) -> None:
    for depot in ("north", "south"):
        key = f"arrivals/vehicles/{depot}/driver-1/a1.png"
        runtime.home.put(key, encode_png(picture()))
        assert not serialize_image(event(key, execution=ref(depot)), runtime)["body"]["duplicate"]


def test_the_same_name_started_at_another_time_is_another_execution(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    again = serialize_image(event(execution=ref("e1", "2026-11-20T10:00:09Z")), runtime)
    assert again["body"]["duplicate"]


def test_another_picture_under_the_same_arrivals_name_is_told_and_not_dropped(runtime: Runtime) -> None:
    runtime.home.put(KEY, encode_png(picture()))
    serialize_image(event(execution=ref("e1")), runtime)
    with pytest.raises(MessageError, match="the name of another arrival"):
        serialize_image(event(KEY.replace("png", "jpg"), execution=ref("e2")), runtime)


def test_an_event_that_names_an_unknown_bucket_makes_none(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="no bucket 'elsewhere'"):
        serialize_image({**event(), "s3_bucket": "elsewhere"}, runtime)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("key", ["a//b.png", "../x.png", "/x.png", "a\0b.png"])
def test_a_key_that_the_store_cannot_have_is_an_error_of_ours(key: str, runtime: Runtime) -> None:
    with pytest.raises(SconesError):
        serialize_image(event(key), runtime)


def test_a_file_that_is_too_large_for_a_picture_is_refused_and_not_read(runtime: Runtime) -> None:
    assert runtime.home.folder is not None
    path = runtime.home.folder / KEY
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(PictureTooLarge, match=rf"has {MAX_BYTES + 1:,} bytes; at most {MAX_BYTES:,}: send a smaller"):
        serialize_image(event(), runtime)
