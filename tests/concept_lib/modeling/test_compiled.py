"""Compiled code that outlives its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
from numba.core import event
from concept_lib.modeling.reduce import reduce

class Compiled(event.Listener):
    count = 0
    def on_start(self, happened): self.count += 1
    def on_end(self, happened): pass

rows = np.random.default_rng(1).normal(size=(60, 16))
vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
compiled = Compiled()
with event.install_listener("numba:compile", compiled):
    layout = reduce(vectors)
import numba, umap
assert not hasattr(numba.njit, "func") and umap.umap_.numba.njit is numba.njit  # numba is as it was
print(compiled.count, layout.tobytes().hex())
"""
STOCK = SCRIPT.replace("import numpy as np", "import numpy as np, umap", 1)


def fitted(folder: Path, script: str = SCRIPT) -> tuple[int, str]:
    """Functions that a fresh process compiles, and the layout that it finds."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    count, layout = ran.stdout.split()
    return int(count), layout


@pytest.mark.slow
def test_a_second_process_compiles_nothing_and_pieces_of_files_are_survived(tmp_path: Path) -> None:
    filled, layout = fitted(tmp_path)
    assert filled > 20
    assert fitted(tmp_path) == (0, layout)
    _, stock = fitted(tmp_path / "stock", STOCK)
    assert stock == layout

    [folder] = tmp_path.glob("umap-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.rglob("*.nbc"):
        os.truncate(path, path.stat().st_size // 2)
    again, mended = fitted(tmp_path)
    assert again > 20
    assert mended == layout
