"""``python -m scones`` is ``scones``."""

from scones.cli import main

main()
