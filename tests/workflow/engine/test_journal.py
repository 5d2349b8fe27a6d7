import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.errors import ExecutionMissing, JournalError
from scones.workflow.engine import Engine, Journal

WAIT = 20.0
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
ECHO = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


def chain(*names: str) -> dict[str, Any]:
    """A machine that calls the function f once a name, and keeps what it got beside what it was given."""
    onward = [{"Next": name} for name in names[1:]] + [{"End": True}]
    states = {
        name: {"Type": "Task", "Resource": FUNCTION, "ResultPath": f"$.{name}", **where}
        for name, where in zip(names, onward, strict=True)
    }
    return {"StartAt": names[0], "States": states}


def test_what_goes_in_comes_out_whatever_is_in_it(tmp_path: Path) -> None:
    odd = {
        "long": "é" * 5000,
        "again": ["é" * 5000],
        "mark": "\0" + "ab" * 32,
        "two": "\0\0",
        "half": "\ud800" + "x" * 2000,
        "short half": "\udfff",
        "numbers": [1, -2.5, 1e300, 10**30, True, None],
        "": {},
    }
    with Engine(tmp_path / "j.db", {"m": ECHO}) as engine:
        engine.start("m", odd, name="e")
        [ended] = engine.wait("e", timeout=WAIT)
        assert ended.input == ended.output == odd
        assert all(event.details in ({"input": odd}, {"output": odd}) for event in engine.history("e"))


def test_a_picture_that_passes_through_many_states_is_stored_once(tmp_path: Path) -> None:
    picture = "".join(f"{number:06x}" for number in range(32_000))
    path = tmp_path / "j.db"
    with Engine(path, {"m": chain("A", "B", "C", "D")}, {"f": lambda event, context: 1}) as engine:
        for number in range(5):
            engine.start("m", {"image_data": picture, "n": number})
        engine.join(WAIT)
    assert path.stat().st_size < 5 * len(picture) * 1.1


def test_a_journal_can_be_read_while_an_engine_writes_it_and_after(tmp_path: Path) -> None:
    path, release = tmp_path / "j.db", threading.Event()
    with Engine(path, {"m": chain("A"), "n": ECHO}, {"f": lambda event, context: release.wait(WAIT)}) as engine:
        engine.start("n", {"i": 1}, name="first")
        engine.wait("first", timeout=WAIT)
        engine.start("m", {"i": 2}, name="second")
        with Journal.open_readonly(path) as reader:
            assert [(one.name, one.status) for one in reader.executions()] == [
                ("second", "RUNNING"),
                ("first", "SUCCEEDED"),
            ]
            assert [one.name for one in reader.executions(status="RUNNING")] == ["second"]
            assert [one.name for one in reader.executions(machine="n", limit=1)] == ["first"]
            assert reader.describe("second").state == "A"
            release.set()
            engine.join(WAIT)
            assert reader.describe("second").output == {"i": 2, "A": True}
            with pytest.raises(ExecutionMissing, match="no execution 'third'"):
                reader.history("third")
    with Journal.open_readonly(str(path)) as reader:
        assert len(reader.history("second")) == 5


def test_a_reader_of_a_journal_that_is_not_there_says_so_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal .*: nothing has run yet"):
        Journal.open_readonly(tmp_path / "j.db")
    assert list(tmp_path.iterdir()) == []


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all " * 100)


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()


def damaged(path: Path) -> None:
    with Engine(path, {"m": ECHO}) as engine:
        engine.start("m", ["x" * 1000] * 100, name="e")
        engine.join(WAIT)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (garbage, "the file is no journal; choose another path, or move the file away"),
        (foreign, "another program's database"),
        (damaged, "the file is damaged; restore it from a copy, or move it away"),
    ],
)
def test_a_file_that_cannot_be_a_journal_is_one_clear_error_for_engine_and_reader(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "j.db"
    spoil(path)
    for use in (lambda: Engine(path, {"m": ECHO}), lambda: Journal.open_readonly(path).executions()):
        with pytest.raises(JournalError, match=message) as caught:
            use()
        assert str(path) in str(caught.value)
    # The lock was let go of with each failure.
    path.rename(tmp_path / "away")
    Engine(path, {"m": ECHO}).stop()


def test_a_place_where_no_file_can_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalError, match="cannot be opened; check that the path is a file"):
        Engine(tmp_path / "folder", {"m": ECHO})
    with pytest.raises(JournalError, match="there is no journal"):
        Journal.open_readonly(tmp_path / "folder")
    with pytest.raises(
        JournalError, match=r"cannot open the journal .*; choose a path in a folder that can be written"
    ):
        Engine(tmp_path / "file" / "j.db", {"m": ECHO})


def test_a_second_engine_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    message = "in use by another engine; end that process, or choose another path"
    with Engine(tmp_path / "j.db", {"m": ECHO}), pytest.raises(JournalError, match=message):
        Engine(tmp_path / "j.db", {"m": ECHO})
    Engine(tmp_path / "j.db", {"m": ECHO}).stop()


def test_a_read_only_place_refuses_a_start_and_says_why(tmp_path: Path) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO}) as engine:
        engine._journal._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(JournalError, match=r"cannot write the journal .*: the place is read-only; give this user"):
            engine.start("m", {}, name="e")
        assert engine.executions() == []


def test_a_full_disk_stops_the_engine_and_what_was_journaled_goes_on_later(tmp_path: Path) -> None:
    path, full = tmp_path / "j.db", threading.Event()

    def function(event: Any, context: Any) -> str:
        if not full.is_set():
            pages = engine._journal._connection.execute("PRAGMA page_count").fetchone()[0]
            engine._journal._connection.execute(f"PRAGMA max_page_count = {pages}")
            full.set()
        return "x" * 100_000

    engine = Engine(path, {"m": chain("A", "B")}, {"f": function})
    with engine:
        engine.start("m", {}, name="e")
        with pytest.raises(JournalError, match="the disk is full; free some space and start again"):
            engine.wait("e", timeout=WAIT)
        with pytest.raises(JournalError, match="the disk is full"):
            engine.start("m", {}, name="other")
        # Nothing that was not journaled has taken effect.
        assert engine.describe("e").state == "A"
    with Engine(path, {"m": chain("A", "B")}, {"f": function}) as again:
        assert again.wait("e", timeout=WAIT)[0].status == "SUCCEEDED"
        assert [event.id for event in again.history("e")] == list(range(1, 9))


def test_a_full_disk_met_by_many_executions_is_told_by_their_caller_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    together = threading.Barrier(4)

    def function(event: Any, context: Any) -> str:
        if together.wait(WAIT) == 0:
            pages = engine._journal._connection.execute("PRAGMA page_count").fetchone()[0]
            engine._journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        together.wait(WAIT)
        return "x" * 100_000

    with Engine(tmp_path / "j.db", {"m": chain("A")}, {"f": function}, concurrency=4) as engine:
        for number in range(4):
            engine.start("m", {}, name=f"e{number}")
        with pytest.raises(JournalError, match="the disk is full"):
            engine.join(WAIT)
    told = [record for record in caplog.records if "the disk is full" in record.getMessage()]
    assert [record.levelname for record in told] == ["DEBUG"]


def test_a_journal_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    Engine(path, {"m": ECHO}).stop()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="a journal of another version of scones"):
        Engine(path, {"m": ECHO})
