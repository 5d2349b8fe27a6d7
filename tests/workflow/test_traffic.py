"""What arrives: mix, corruption, garbage, duplicates, all of it by a seed."""

from collections import Counter
from collections.abc import Callable
from itertools import islice, repeat

import pytest

from scones.contracts import ManifestLine, picture_type
from scones.errors import PictureError, SettingsError, SourceEmpty
from scones.picture import content_hash, decode
from scones.training.distortions import DISTORTIONS
from scones.workflow.traffic import GARBAGE, Planned, Traffic, content, parse_damage, parse_mix, plan

LABELS = ("bicycle", "motorcycle")


def line(number: int, label: str, ext: str = "png") -> ManifestLine:
    return ManifestLine.model_validate(
        {
            "source-ref": f"pictures/test/{label}/{number}.{ext}",
            "label": label,
            "label_index": LABELS.index(label),
            "split": "test",
            "hash": f"{number:08x}",
            "width": 32,
            "height": 32,
            "origin": str(number),
        }
    )


LINES = [line(number, LABELS[number % 2]) for number in range(40)]


def planned(traffic: Traffic, count: int = 2000, seed: int = 0) -> list[Planned]:
    return list(plan(LINES, traffic, (number / 10 for number in range(count)), seed))


def test_each_picture_comes_once_before_any_comes_again() -> None:
    sent = [one.line.source_ref for one in planned(Traffic(), 80)]
    assert set(sent[:40]) == set(sent[40:]) == {one.source_ref for one in LINES}


def test_a_mix_holds_and_a_label_that_is_not_listed_does_not_come() -> None:
    shares = Counter(one.line.label for one in planned(Traffic(mix={"bicycle": 0.7, "motorcycle": 0.3})))
    assert shares["bicycle"] / 2000 == pytest.approx(0.7, abs=0.03)
    assert {one.line.label for one in planned(Traffic(mix={"motorcycle": 2.0}))} == {"motorcycle"}
    assert {one.line.label for one in planned(Traffic(mix={"motorcycle": 1.0, "bicycle": 0.0}))} == {"motorcycle"}


def test_shares_hold_and_what_is_sent_again_is_one_of_those_before_it() -> None:
    damage = parse_damage("blur:2")
    sent = planned(Traffic(damage=damage, corrupt=0.2, garbage=0.1, duplicate=0.25))
    again = [one for one in sent if one.again]
    new = [one for one in sent if not one.again]
    assert len(again) / len(sent) == pytest.approx(0.25, abs=0.03)
    kinds = Counter(one.kind for one in new)
    assert kinds["garbage"] / len(new) == pytest.approx(0.1, abs=0.03)
    assert kinds["corrupted"] / (len(new) - kinds["garbage"]) == pytest.approx(0.2, abs=0.03)
    assert {one.garbage for one in new if one.garbage} == set(GARBAGE)
    seen: dict[int, Planned] = {}
    for one in sent:
        if one.again:
            first = seen[one.number]
            assert (one.line, one.damage, one.garbage) == (first.line, first.damage, first.garbage)
        else:
            assert one.number == len(seen)
            seen[one.number] = one


def test_the_same_seed_and_options_give_the_same_arrivals_in_the_same_order() -> None:
    traffic = Traffic({"bicycle": 1.0, "motorcycle": 2.0}, parse_damage(None), 0.3, 0.1, 0.1)
    assert planned(traffic, seed=4) == planned(traffic, seed=4) != planned(traffic, seed=5)


def test_another_share_of_garbage_leaves_the_pictures_as_they_were() -> None:
    few, many = planned(Traffic(garbage=0.1)), planned(Traffic(garbage=0.4))
    assert [one.line for one in few] == [one.line for one in many]
    assert {one.number for one in few if one.garbage} < {one.number for one in many if one.garbage}


def test_a_plain_picture_is_sent_byte_for_byte(png_bytes: Callable[..., bytes]) -> None:
    data = png_bytes()
    assert content(Planned(0, 0.0, LINES[0]), data, 0) == (data, "png")
    assert content(Planned(0, 0.0, line(1, "bicycle", "jpg")), data, 0) == (data, "jpg")


@pytest.mark.parametrize("damage", parse_damage(None), ids=lambda damage: damage.name)
def test_a_corrupted_picture_is_a_picture_still_and_the_same_by_seed(
    damage: object, draw: Callable[..., bytes]
) -> None:
    data = draw(3)
    one = Planned(7, 0.0, LINES[0], damage=damage)  # type: ignore[arg-type]
    made, ending = content(one, data, 1)
    assert picture_type(f"a.{ending}") in {"image/png", "image/jpeg"}
    assert (made[:2] == b"\xff\xd8") == (ending == "jpg"), "its name tells the truth"
    assert content_hash(decode(made)) != content_hash(decode(data))
    assert content(one, data, 1) == (made, ending)


def test_what_is_random_in_a_corruption_differs_from_arrival_to_arrival(draw: Callable[..., bytes]) -> None:
    [damage] = parse_damage("noise:2")
    first, second = (content(Planned(number, 0.0, LINES[0], damage=damage), draw(3), 1)[0] for number in (1, 2))
    assert first != second


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(8, 8), (640, 480)])
def test_garbage_is_no_picture(garbage: str, kind: str, size: tuple[int, int], png_bytes: Callable[..., bytes]) -> None:
    for number in range(20):
        made, ending = content(Planned(number, 0.0, LINES[0], garbage=garbage), png_bytes(size=size, kind=kind), 0)
        assert ending == "png", "it comes under a picture's name"
        with pytest.raises(PictureError):
            decode(made)


def test_every_distortion_of_the_evaluation_can_be_asked_for() -> None:
    assert len(parse_damage(None)) == sum(len(distortion.steps) for distortion in DISTORTIONS)
    names = ["blur:1", "blur:2", "less-contrast:2", "jpeg:1"]
    assert [one.name for one in parse_damage("blur, Less contrast:2,JPEG:1,blur:2")] == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fog", "'fog': use photograph, off-centre, noise"),
        ("blur:3", "blur has no severity '3': use 1 or 2"),
        ("photograph:0", "use 1 or 2 or 3"),
        ("blur:", "blur has no severity ''"),
        (",", "names no corruption"),
    ],
)
def test_a_corruption_that_there_is_not_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_damage(text)


def test_a_mix_is_read() -> None:
    assert parse_mix("bicycle=0.7, motorcycle=0.3", LABELS, LINES) == {"bicycle": 0.7, "motorcycle": 0.3}
    assert parse_mix("motorcycle=1", LABELS, [one for one in LINES if one.label == "motorcycle"]) == {"motorcycle": 1}


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("scooter=1", SettingsError, "'scooter' is no label of the dataset: it has bicycle, motorcycle"),
        ("bicycle", SettingsError, "'bicycle' gives no weight"),
        ("bicycle=many", SettingsError, "'bicycle=many' gives no weight"),
        ("bicycle=-1", SettingsError, "'bicycle=-1' gives no weight"),
        ("bicycle=nan", SettingsError, "gives no weight"),
        ("bicycle=1,bicycle=2", SettingsError, "bicycle stands there twice"),
        ("bicycle=0", SettingsError, "leaves nothing to send"),
        ("", SettingsError, "leaves nothing to send"),
        ("motorcycle=1", SourceEmpty, "no test pictures of motorcycle"),
    ],
)
def test_a_mix_that_the_dataset_cannot_give_is_refused(text: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        parse_mix(text, LABELS, [one for one in LINES if one.label == "bicycle"])


def test_a_plan_is_made_as_it_is_needed() -> None:
    endless = plan(LINES, Traffic(duplicate=0.5), repeat(0.0), 0)
    assert len(list(islice(endless, 5))) == 5
