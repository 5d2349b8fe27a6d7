"""What fails for a while is tried again after pauses that grow, and told once."""

import pytest

from scones.errors import JournalError, StoreError
from scones.workflow.intake.chores import Chores

from .conftest import HandClock


class Store:
    def __init__(self) -> None:
        self.works = True
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if not self.works:
            raise StoreError("cannot list it")


@pytest.fixture
def clock() -> HandClock:
    return HandClock(100.0)


def chores(clock: HandClock, said: list[str], *, patient: bool = True) -> Chores:
    return Chores(patient=patient, every=1.0, say=said.append, clock=clock)


def test_a_failure_is_told_once_and_so_is_its_end(clock: HandClock) -> None:
    said: list[str] = []
    store, done = Store(), chores(clock, said)
    store.works = False
    for _ in range(600):
        assert not done.do("arrivals", store)
        clock.move(1)
    assert said == ["arrivals: cannot list it; it is tried again"]
    assert store.calls < 20, "the pauses grow"
    store.works = True
    clock.move(60)
    assert done.do("arrivals", store)
    assert said[1:] == ["arrivals: all is well again"]
    clock.move(1)
    assert done.do("arrivals", store), "and it is done as often as before"


def test_what_fails_holds_up_nothing_else(clock: HandClock) -> None:
    store, done = Store(), chores(clock, [])
    store.works = False
    assert not done.do("answers", store)
    assert done.do("arrivals", lambda: None)


def test_what_takes_long_is_not_done_all_the_time(clock: HandClock) -> None:
    done = chores(clock, [])
    assert done.do("arrivals", lambda: clock.move(3))
    clock.move(11)
    assert not done.do("arrivals", lambda: None)
    assert done.do("arrivals", lambda: None, now=True)
    clock.move(2)
    assert done.do("arrivals", lambda: None)


def test_who_is_not_patient_gets_the_error(clock: HandClock) -> None:
    store = Store()
    store.works = False
    with pytest.raises(StoreError):
        chores(clock, [], patient=False).do("arrivals", store)


def test_a_journal_that_cannot_be_written_is_no_chore(clock: HandClock) -> None:
    def broken() -> None:
        raise JournalError("no")

    with pytest.raises(JournalError):
        chores(clock, []).do("arrivals", broken)
