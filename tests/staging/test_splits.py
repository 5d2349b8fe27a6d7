from __future__ import annotations

import hashlib

from scones.staging.splits import in_calibration, in_test

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]


def test_about_a_fifth_is_held_back_for_each() -> None:
    assert 0.17 < sum(map(in_calibration, HASHES)) / len(HASHES) < 0.23
    assert 0.17 < sum(map(in_test, HASHES)) / len(HASHES) < 0.23


def test_the_two_choices_are_independent() -> None:
    test = [digest for digest in HASHES if in_test(digest)]
    assert 0.15 < sum(map(in_calibration, test)) / len(test) < 0.25
