from __future__ import annotations

import json
import subprocess
import sys

import scones.staging


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(scones.staging, name) is not None for name in scones.staging.__all__)
    assert sorted(scones.staging.__all__) == dir(scones.staging)
    assert set(scones.staging.__all__) == set(scones.staging._HOMES)


def test_the_splits_load_nothing_else() -> None:
    code = "import sys, json, scones.staging.splits; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"numpy", "PIL", "pydantic", "obstore", "urllib3"} & set(loaded)


def test_reading_the_archive_loads_neither_store_nor_pillow() -> None:
    code = "import sys, json, scones.staging.cifar100; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"PIL", "pydantic", "obstore", "urllib3"} & set(loaded)
