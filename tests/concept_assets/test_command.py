"""How the command begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from concept_assets.command import openblas_kernel

ALL = "avx2 avx512f avx512bw avx512cd avx512dq avx512vl"
TELL = "import os; print(os.environ.get('OPENBLAS_CORETYPE'))"


@pytest.mark.parametrize(
    ("flags", "kernel"), [(ALL, "SkylakeX"), (ALL.replace("avx512vl", ""), None), ("avx2 fma", None)]
)
def test_the_kernel_follows_the_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, kernel: str | None
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    listing = tmp_path / "cpuinfo"
    listing.write_text(f"model name\t: some CPU\nflags\t\t: fpu {flags}\nbugs\t\t:\n")
    assert openblas_kernel(listing) == kernel
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert openblas_kernel(listing) is None


def told(code: str, **environment: str) -> str:
    own = {name: text for name, text in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=own | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]


def test_the_command_names_the_kernel_before_numpy_is_loaded() -> None:
    begin = (
        "import os, sys\n"
        "from concept_assets import command\n"
        "assert 'numpy' not in sys.modules\n"
        "sys.argv = ['concept', '--version']\n"
        "try:\n    command.main()\nexcept SystemExit:\n    pass\n"
    )
    expected = str(openblas_kernel(Path("/proc/cpuinfo")))
    assert told(begin + TELL) == expected
    assert told(begin + TELL, OPENBLAS_CORETYPE="Zen") == "Zen"


def test_the_library_leaves_the_environment_alone() -> None:
    assert told(f"import concept_lib.model; {TELL}") == "None"
