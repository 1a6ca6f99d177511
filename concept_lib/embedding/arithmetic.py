"""What computes the vectors, and in how many bits: what this machine offers, the best first."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from concept_lib.errors import ConceptError

_GPU_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, and Windows lending one to its Linux
_BF16_FLAGS = {"amx_bf16", "avx512_bf16"}


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A way to compute vectors.

    Parameters
    ----------
    backend
        ``torch`` or ``openvino``.
    precision
        ``fp32``, ``bf16`` or ``fp16``: of the products; sums and vectors are always single precision.
    device
        ``cpu``, ``mps``, ``cuda`` (all GPUs) or one of them, such as ``cuda:1``.
    """

    backend: str
    precision: str
    device: str


def choices(device: str = "auto", backend: str = "auto", precision: str = "auto") -> list[Arithmetic]:
    """Ways to compute that are asked for and that this machine has, the fastest first.

    A later one is taken only for a model that an earlier one does not suit.

    Raises
    ------
    ConceptError
        When there is none.

    Examples
    --------
    >>> choices("cpu", "torch")
    [Arithmetic(backend='torch', precision='fp32', device='cpu')]
    """
    place = _place("cpu" if (device, backend) == ("auto", "openvino") else device)
    found = [
        Arithmetic(name, kind, place)
        for name in _backends(backend, place)
        for kind in _precisions(name, place)
        if precision in ("auto", kind)
    ]
    if not found:
        raise ConceptError(
            f"precision {precision} is not to be had here (backend {backend}, device {place}): "
            "take --set embedding.precision=auto"
        )
    return found


def _place(device: str) -> str:
    """Name of a device that is there; torch, which is slow to import, is asked where there may be a GPU."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ConceptError(f"device takes auto, cpu, cuda or mps, not {device}")
    may_have_gpu = sys.platform != "linux" or any(Path(driver).exists() for driver in _GPU_DRIVERS)
    if device == "cpu" or (device == "auto" and not may_have_gpu):
        return "cpu"
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name, is_there in there.items() if is_there), "cpu")
    if not there[device.partition(":")[0]]:
        raise ConceptError(f"device {device} is not on this machine; take auto or cpu")
    return device


def _backends(backend: str, place: str) -> list[str]:
    has_openvino = find_spec("openvino") is not None
    if backend == "openvino":
        if not has_openvino:
            raise ConceptError(
                "backend openvino is not installed: pip install openvino, or take backend auto"
            )
        if place != "cpu":
            raise ConceptError(
                f"backend openvino computes on the cpu, not on {place}: take backend torch there"
            )
    if backend != "auto":
        return [backend]
    return ["openvino", "torch"] if has_openvino and place == "cpu" else ["torch"]


def _precisions(backend: str, place: str) -> list[str]:
    if backend == "openvino":
        return ["bf16", "fp32"] if _cpu_has_bf16() else ["fp32"]
    if place.startswith("cuda"):
        import torch

        return ["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16", "fp32"]
    return ["fp32"]  # on CPUs torch gains little from half precision


@cache
def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware; told on x86 under Linux only."""
    listing = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not listing.is_file():
        return False
    flags = re.search(r"^flags\s*:(.*)$", listing.read_text(), re.MULTILINE)
    return flags is not None and not _BF16_FLAGS.isdisjoint(flags[1].split())
