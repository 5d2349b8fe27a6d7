import html
import json
import re
from collections.abc import Callable, Sequence

import pytest
from bokeh.embed import json_item

from scones.capture import CaptureRecord
from scones.monitoring import Watched, monitor_page, summarise
from scones.monitoring import watch_plots as plots
from scones.monitoring.watch.findings import findings
from scones.monitoring.watch.records import Estimate, Look, MixShare, Stance, Standing
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch_series import spans
from scones.monitoring.watch_words import magnitude, watch_lead, watch_tiles
from scones.page import Picture, charts
from scones.page.numbers import NONE

from .looks import LINE, START, at, drifted, look, standing


def watched(
    looks: Sequence[Look], standings: Sequence[Standing] = (), **fields: Sequence[Picture] | Sequence[bytes]
) -> Watched:
    return Watched(looks, standings, findings(looks[-1], Rules()), **fields)  # type: ignore[arg-type]


def text_of(page: str) -> str:
    """What a reader sees, of spaces one."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", body)))


def page_of(seen: Watched) -> str:
    return text_of(monitor_page(summarise([CaptureRecord("e", "", START, (0.6, 0.4))]), watched=seen))


def data(plot: charts.Plot) -> str:
    """The figure as the page holds it; it can be written without NaN outside of Bokeh's own way to tell it."""
    return json.dumps(json_item(plot), allow_nan=False)


DRIFT = [*(look(minute) for minute in range(1, 21)), *(drifted(minute, began=20) for minute in range(22, 40))]


def test_a_healthy_endpoint_is_told_in_the_first_sentence() -> None:
    page = page_of(watched([look(1), look(2)]))
    assert (
        "All is well: no drift in 40 pictures. The endpoint answers as it was promoted to. 1 picture was classified."
        in page
    )
    assert "Nothing stands out: no drift in 40 pictures." in page


def test_what_pictures_are_compared_with_is_told() -> None:
    assert "differ from those that the model was tested on." in page_of(watched([look(1)]))
    declared = look(1, baseline="2,000 captured pictures (ada: the new camera)")
    page = page_of(watched([declared]))
    assert "differ from those that were declared healthy: 2,000 captured pictures (ada: the new camera)." in page


def test_a_drift_is_told_with_its_channels_since_when_and_what_is_done() -> None:
    acts = [standing(Stance.CAUTIOUS, 23, threshold=0.97)]
    page = page_of(watched(DRIFT, acts))
    assert (
        "The pictures have changed since 20 Nov 10:20 (UTC), in like blur and sharpness. "
        "The endpoint is cautious since 20 Nov 10:23 (UTC)."
    ) in page
    assert "The alarm was raised 20 Nov 10:22 (UTC), at picture 400 of the watch. 25" in page
    table = page[page.index("Which channels tell of it") :]
    assert re.search(r"like blur how much the picture looks damaged by blur 300,000 10¹² 20 Nov 10:20 ", table)
    assert re.search(r"sharpness how sharp its details are 40,000 10¹¹ 20 Nov 10:21 ", table)


def test_the_pictures_that_tell_most_stand_beside_reference_pictures(png_bytes: Callable[..., bytes]) -> None:
    seen = watched(
        DRIFT, responsible=[Picture(png_bytes(), "bicycle", "61 % sure", "event-1")], reference=[png_bytes()] * 3
    )
    page = monitor_page(summarise([]), watched=seen)
    most, rest = page.split("<h3>The pictures that tell most</h3>")[1].split("<h3>Pictures as they should be</h3>")
    assert most.count("<img") == 1
    assert "event-1" in most
    assert rest.split("</section>")[0].count("<img") == 3


def test_pictures_that_are_gone_are_said_to_be() -> None:
    page = page_of(watched(DRIFT))
    assert "Their pictures were not captured, or are no longer there." in page
    assert "The model's reference pictures are not kept." in page


def test_the_tiles_hold_the_figures_against_what_was_expected() -> None:
    worse = Estimate(share=0.8, low=0.75, high=0.85, answers=50)
    tiles = {tile.label: tile for tile in watch_tiles(watched([drifted(30, began=20, reviewed=worse)]))}
    assert (tiles["Evidence of drift"].value, tiles["Evidence of drift"].tone) == ("10¹²", "warn")
    assert "250,000" in tiles["Evidence of drift"].detail
    assert tiles["Accuracy by people"].tone == "warn"
    assert "of 50 pictures" in tiles["Accuracy by people"].detail
    assert (tiles["Estimated accuracy"].tone, tiles["Newest record"].value) == ("plain", "6 s")
    assert tiles["Stance"].detail == "nobody decided anything yet"


def test_what_is_not_known_yet_is_a_dash_that_says_what_to_do() -> None:
    bare = Look(at=START, task="vehicles", version="v1", state="s", alarm_line=LINE)
    tiles = {tile.label: tile for tile in watch_tiles(Watched([bare]))}
    assert {tiles[name].value for name in ("Estimated accuracy", "Accuracy by people", "Newest record")} == {NONE}
    assert "scones monitor audit" in tiles["Accuracy by people"].detail
    assert "Nobody had to decide anything yet." in page_of(Watched([bare]))


def test_a_gap_and_worse_answers_are_told_where_nothing_drifts() -> None:
    assert watch_lead(watched([look(1, gap=7200.0)])).startswith("Nothing has been captured for 2 hours.")
    worse = look(1, reviewed=Estimate(share=0.7, low=0.6, high=0.8, answers=50))
    assert watch_lead(watched([worse])).startswith("The pictures have not changed, but the answers have become worse.")


@pytest.mark.parametrize(
    ("stance", "told"),
    [
        (Stance.SHADOWING, "a candidate answers in the shadow since 20 Nov 10:05"),
        (Stance.CANARY, "a candidate answers 10\N{NARROW NO-BREAK SPACE}% of the pictures since 20 Nov 10:05"),
        (Stance.ROLLED_BACK, "The model before answers again since 20 Nov 10:05"),
    ],
)
def test_every_stance_is_told(stance: Stance, told: str) -> None:
    assert told in watch_lead(watched([look(9)], [standing(stance, 5, weight=0.1)]))


def test_a_dry_run_is_not_told_as_done() -> None:
    lead = watch_lead(watched([look(9)], [standing(Stance.CAUTIOUS, 5, dry_run=True)]))
    assert lead.endswith("The endpoint answers as it was promoted to. A dry run says: cautious.")


def test_decisions_and_notes_stand_in_one_table_the_newest_first() -> None:
    decided = [
        standing(Stance.CAUTIOUS, 3, threshold=0.97),
        standing(Stance.CANARY, 5, candidate="v2", weight=0.1, held=True, who="asha"),
    ]
    page = page_of(watched([look(4, note="model v2 took the place of v1 in production"), look(9)], decided))
    table = page[page.index("Decisions and events") :]
    rows = [
        table.index(word)
        for word in ("held, candidate v2, for 10", "Model v2 took the place", "threshold at least 0.97")
    ]
    assert rows == sorted(rows)


def test_an_endpoint_that_nobody_watches_is_told_how_to_be_watched_and_one_that_cannot_be_is_not() -> None:
    assert "scones monitor watch" in page_of(Watched())
    assert "scones monitor watch" not in text_of(monitor_page(summarise([])))


def test_a_watch_is_told_though_its_capture_is_gone() -> None:
    page = text_of(monitor_page(summarise([]), watched=watched(DRIFT)))
    assert page.index("The pictures have changed since") < page.index("Nothing captured yet")


def test_hostile_names_and_reasons_are_text() -> None:
    bad = "<script>alert(1)</script> $$x$$"
    seen = watched(
        [look(k, evidence={bad: 1.0}, mix={bad: MixShare(share=1, low=1, high=1)}, note=bad) for k in (1, 2)],
        [standing(Stance.CAUTIOUS, 1, who=bad, why=bad, candidate=bad)],
    )
    page = monitor_page(summarise([]), watched=seen)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_evidence_is_drawn_up_to_far_above_the_line_and_told_in_full() -> None:
    looks = [look(1), look(2, evidence={"sharpness": 0.0}), drifted(3, began=1, evidence=1e240)]
    plot = plots.evidence(looks)
    assert LINE < plot.y_range.end <= 1e6 * LINE
    total = plot.renderers[-2].data_source.data["total"]
    assert total == [pytest.approx(1.0, rel=2), 0.0, 1e240]
    assert data(plot)
    assert data(plots.evidence([look(1)]))


def test_thousands_of_looks_make_a_page_of_bounded_size() -> None:
    many = [look(k, evidence={f"channel {c}": 1 + (k * c % 97) / 97 for c in range(30)}) for k in range(1, 2001)]
    page = monitor_page(summarise([]), watched=watched(many))
    assert len(page) < 2_000_000


def test_accuracy_is_drawn_with_its_interval_people_s_answers_and_the_expected_one() -> None:
    answered = Estimate(share=0.7, low=0.6, high=0.8, answers=50)
    plot = plots.accuracy([look(1, accuracy=None), look(2), look(3, reviewed=answered)])
    assert plot.y_range.start < 0.6
    sources = [renderer.data_source.data for renderer in plot.renderers]
    assert [0.7] in [source.get("share") for source in sources]
    assert any(list(source.get("y", [])) == [0.95] * 5 for source in sources)
    assert data(plot)
    assert data(plots.accuracy([look(1, accuracy=None, expected=None)]))


def test_a_class_that_came_later_and_many_classes_can_be_drawn() -> None:
    later = {f"class {k}": MixShare(share=0.05, low=0.01, high=0.1) for k in range(20)}
    seen = [look(1), look(2, mix=later)]
    assert data(plots.class_mix(seen))
    assert "12 smaller classes are left out." in page_of(watched(seen))


def test_stances_are_drawn_with_who_and_why() -> None:
    shown = spans([standing(Stance.CAUTIOUS, 10, who="asha", why="w" * 500, dry_run=True)], START, at(60))
    source = plots.stances(shown).renderers[0].data_source.data
    assert list(source["stance"]) == ["observing", "cautious"]
    assert source["who"][1] == "asha"
    assert len(source["why"][1]) == 160
    assert source["alpha"][1] < source["alpha"][0]


def test_evidence_without_bounds_is_still_a_figure() -> None:
    assert [magnitude(value) for value in (0.0, 12.3, 999_999.0, 1e250, float("inf"))] == [
        "0",
        "12",
        "999,999",
        "10²⁵⁰",
        NONE,
    ]
