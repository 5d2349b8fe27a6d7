"""``scones clean``."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from scones.cli._common import JsonOption, console, print_json


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what the demo made in this folder: .scones/demo, and the archive if the demo downloaded it.

    Your own work in .scones stays.
    """
    from scones.demo import demo_files, remove_demo
    from scones.page.numbers import plural

    found = demo_files()
    total = sum(size for _, size in found)
    if not dry_run:
        remove_demo()
    if as_json:
        print_json({"removed": not dry_run, "files": [str(path) for path, _ in found], "bytes": total})
        return
    err = console()
    if not found:
        err.print("nothing to remove: no demo ran in this folder")
        return
    folders = Counter("/".join(path.parts[:5]) if len(path.parts) > 5 else str(path) for path, _ in found)
    if dry_run:
        for folder, count in folders.items():
            typer.echo(folder if count == 1 else f"{folder}/ ({count:,} files)")
    err.print(f"{'would remove' if dry_run else 'removed'} {plural(len(found), 'file')}, {total / 1e6:.1f} MB")
