"""Which pictures are held back to calibrate with."""

__all__ = ["CALIBRATION_SHARE", "in_calibration"]

CALIBRATION_SHARE = 0.2
"""Share of the training pictures that is kept for calibration."""


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
