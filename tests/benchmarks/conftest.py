"""A CLIP that is small enough for a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.inputs.clip import TEXT, VISION, write_clip

TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY = {
    "vision": VISION | TOWER | {"image_size": 32, "patch_size": 8},
    "text": TEXT | TOWER,
    "dim": 24,
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip", **TINY)
