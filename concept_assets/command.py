"""Where the ``concept`` command begins: what must stand in the environment before NumPy is loaded."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def main() -> None:
    """Choose the kernel of OpenBLAS, for this process and those that it starts, and run the command."""
    if (kernel := openblas_kernel(Path("/proc/cpuinfo"))) is not None:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernel)
    from concept_assets.cli import main

    main()


def openblas_kernel(listing: Path) -> str | None:
    """Kernel that OpenBLAS should take, None where its own choice is left alone.

    It takes some CPUs that it does not know for a Haswell and leaves their AVX-512 unused, at half the speed; where
    it sees AVX-512 by itself, it chooses the same kernel.

    Parameters
    ----------
    listing
        Linux's description of the CPUs, ``/proc/cpuinfo``.

    Examples
    --------
    >>> openblas_kernel(Path("no/such/listing")) is None
    True
    """
    if platform.machine() not in ("x86_64", "AMD64") or not listing.is_file():
        return None
    flags = re.search(r"^flags\s*:(.*)$", listing.read_text(), re.MULTILINE)
    return "SkylakeX" if flags is not None and set(flags[1].split()) >= AVX512 else None
