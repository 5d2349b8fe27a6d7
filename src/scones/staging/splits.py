"""Which pictures are held back: to calibrate with, and to test with."""

__all__ = ["CALIBRATION_SHARE", "TEST_SHARE", "in_calibration", "in_test"]

CALIBRATION_SHARE = 0.2
"""Share of the training pictures that is kept for calibration."""
TEST_SHARE = 0.2
"""Share of the pictures that is kept for testing, where a source has no test split of its own."""


def in_calibration(content_hash: str) -> bool:
    """Say whether a training picture belongs to the calibration split.

    The picture's own content decides, never a seed or its position. So the split is the same in every
    run, and whoever trains a backbone can leave out the very pictures that a task's confidence will
    later be measured on.

    Args:
        content_hash: hex SHA-256 from :func:`scones.picture.content_hash`.

    Example:
        >>> in_calibration("00" * 32), in_calibration("ff" * 32)
        (True, False)
    """
    return int(content_hash[:8], 16) < CALIBRATION_SHARE * 2**32


def in_test(content_hash: str) -> bool:
    """Say whether a picture of a source without splits belongs to the test split.

    Other bits of the hash decide than in :func:`in_calibration`, so that the two choices are independent.

    Args:
        content_hash: hex SHA-256 from :func:`scones.picture.content_hash`.

    Example:
        >>> in_test("ffffffff" + "00" * 28), in_test("00000000" + "ff" * 28)
        (True, False)
    """
    return int(content_hash[8:16], 16) < TEST_SHARE * 2**32
