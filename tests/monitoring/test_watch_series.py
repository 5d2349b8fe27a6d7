from scones.monitoring.watch.records import Estimate, Stance
from scones.monitoring.watch_series import alarms, labels, moments, reviews, spans, strongest, thinned

from .looks import START, at, drifted, look, standing


def test_a_long_series_is_thinned_and_keeps_its_peaks_its_order_and_its_last_look() -> None:
    looks = [look(minute, evidence={"sharpness": 1e9 if minute == 4321 else 1.0}) for minute in range(1, 10_001)]
    kept = thinned(looks)
    assert 200 <= len(kept) <= 400
    assert max(one.strongest for one in kept) == 1e9
    assert kept[-1] is looks[-1]
    assert kept == sorted(kept, key=lambda one: one.at)


def test_a_short_series_is_drawn_whole() -> None:
    looks = [look(minute) for minute in range(1, 401)]
    assert thinned(looks) == looks
    assert len(thinned([*looks, look(401)])) <= 400


def test_time_never_goes_back_where_a_late_file_was_read() -> None:
    looks = [look(10), look(11, until=at(3)), look(12, start=None, until=None)]
    assert moments(looks) == [at(9.9).timestamp() * 1000, at(9.9).timestamp() * 1000, at(12).timestamp() * 1000]


def test_the_strongest_channels_and_the_largest_classes_are_drawn() -> None:
    one = look(1, evidence={f"channel {k}": float(k % 7) for k in range(30)})
    assert len(strongest([look(0), one])) == 8
    assert strongest([one])[0] == "channel 6"
    assert labels([look(1), look(2, mix={})]) == ["bicycle", "motorcycle"]
    assert labels([look(1, mix={})]) == []


def test_the_channels_of_an_alarm_are_drawn_though_others_have_more_evidence_since() -> None:
    assert strongest([drifted(5, began=2, evidence=1.0)]) == ["like blur", "sharpness", "size"]
    later = drifted(9, began=2).model_copy(update={"evidence": {"size": 1e30, "like blur": 1e20, "sharpness": 1e10}})
    assert strongest([later]) == ["like blur", "sharpness", "size"]


def test_each_alarm_is_told_once_with_when_it_stood_last() -> None:
    looks = [look(1), drifted(5, began=2), drifted(6, began=2, evidence=1e13), look(7), drifted(20, began=12)]
    found = alarms(looks)
    assert [(alarm.began, until) for alarm, until in found] == [
        (at(2), at(5.9).timestamp() * 1000),
        (at(12), at(19.9).timestamp() * 1000),
    ]


def test_people_s_answers_are_shown_where_they_changed_what_is_known() -> None:
    first = Estimate(share=0.9, low=0.8, high=0.95, answers=20)
    second = first.model_copy(update={"answers": 30})
    looks = [look(k, reviewed=r) for k, r in enumerate((None, first, first, second, second, None, second))]
    assert [estimate.answers for _, estimate in reviews(looks)] == [20, 30]


def test_a_stance_stands_until_the_next_one_and_before_the_first_the_endpoint_is_observed() -> None:
    found = spans([standing(Stance.CAUTIOUS, 10), standing(Stance.OBSERVING, 30)], START, at(60))
    assert [(span.standing.stance, span.start, span.end) for span in found] == [
        (Stance.OBSERVING, START, at(10)),
        (Stance.CAUTIOUS, at(10), at(30)),
        (Stance.OBSERVING, at(30), at(60)),
    ]


def test_what_was_only_said_ends_no_stance_that_is_in_force() -> None:
    said = standing(Stance.SHADOWING, 20, dry_run=True)
    found = spans([standing(Stance.CAUTIOUS, 10), said, standing(Stance.OBSERVING, 30)], START, at(60))
    assert [(span.standing.stance, span.start, span.end) for span in found] == [
        (Stance.OBSERVING, START, at(10)),
        (Stance.CAUTIOUS, at(10), at(30)),
        (Stance.SHADOWING, at(20), at(30)),
        (Stance.OBSERVING, at(30), at(60)),
    ]


def test_stances_of_before_are_cut_or_left_out() -> None:
    found = spans([standing(Stance.CAUTIOUS, -20), standing(Stance.SHADOWING, -10)], START, at(60))
    assert [(span.standing.stance, span.start) for span in found] == [(Stance.SHADOWING, START)]
