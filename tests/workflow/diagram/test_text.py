"""Text that must fit, whatever people call things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.workflow.diagram.text import ELLIPSIS, clean, duration, shorten, text_width, wrap


@given(text=st.text(max_size=90), room=st.floats(20, 400), bold=st.booleans())
def test_what_is_shortened_fits(text: str, room: float, bold: bool) -> None:
    short = shorten(text, 13, room, bold=bold)
    assert short == text or short.endswith(ELLIPSIS)
    assert text_width(short, 13, bold=bold) <= room


@given(text=st.text(max_size=90), room=st.floats(30, 300), most=st.integers(1, 4))
def test_wrapped_lines_fit_and_lose_nothing_unless_they_say_so(text: str, room: float, most: int) -> None:
    lines = wrap(clean(text), 13, room, most=most)
    assert len(lines) <= most
    assert all(text_width(line, 13) <= room for line in lines)
    if lines and not lines[-1].endswith(ELLIPSIS):
        assert "".join("".join(lines).split()) == "".join(clean(text).split())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("SerializeImage", ("Serialize", "Image")),
        ("ask a person now", ("ask a", "person now")),
        ("step-one_two.three", ("step-one_", "two.three")),
        ("aaaaaaaaaaaaaaaaaaaa", ("aaaaaaaa", "aaaaaaaa…")),
    ],
)
def test_lines_break_where_words_do(text: str, lines: tuple[str, ...]) -> None:
    assert wrap(text, 10, 60, most=2) == lines


def test_wide_characters_take_more_room_and_marks_none() -> None:
    assert text_width("画像", 10) > text_width("ab", 10)
    assert text_width("e\N{COMBINING ACUTE ACCENT}", 10) == text_width("e", 10)
    assert text_width("a", 10, bold=True) > text_width("a", 10)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (3599.6, "1 h"),
        (86400, "1 d"),
    ],
)
def test_times_are_rounded_across_their_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_xml_cannot_carry_is_shown_as_such() -> None:
    assert clean("a\x00b\ud800c\tnext\nline \N{DOUGHNUT}") == "a�b�c next line \N{DOUGHNUT}"
