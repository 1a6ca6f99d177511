"""Speed and memory of an encoder, measured in a process of its own: ``python -m benchmarks.speed``."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

THREADS = 2
TIMED_IMAGES = 512
TIMED_RUNS = 3
ROOT = Path(__file__).resolve().parents[1]


def measure_speed(photos: Path, model: str) -> dict[str, float]:
    """Start a fresh process that loads a model, encodes all photographs, and measures itself.

    Returns
    -------
    dict
        ``images_per_second`` without decoding, on `THREADS` threads, and ``peak_mb``: the most memory (RSS, in
        units of a million bytes) that the process held until all photographs were encoded.
    """
    from concept_lib.errors import ConceptError

    command = [sys.executable, "-m", "benchmarks.speed", str(photos), model]
    threads = {name: str(THREADS) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | threads, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConceptError(f"the process that measures speed failed: {last_line(done.stderr)}")
    return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def last_line(text: str) -> str:
    """Last line of what a process said that is not blank."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1]


def peak_bytes() -> int:
    """Most memory that this process has held, bytes.

    On Linux `resource.getrusage` would also count the process that started this one, up to the moment of the exec;
    the kernel's high-water mark does not.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in this process and print JSON."""
    import torch

    from benchmarks.baselines import encode
    from benchmarks.photographs import decode, find_photographs
    from concept_lib.embedding.encoder import load_encoder

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("model")
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    encoder = load_encoder(options.model, device="cpu")
    pixels = decode(find_photographs(options.photos), encoder.image_size)
    encode(encoder, pixels)
    peak = peak_bytes()
    timed = [pixels[i % len(pixels)] for i in range(TIMED_IMAGES)]
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        encode(encoder, timed)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"images_per_second": TIMED_IMAGES / median(seconds), "peak_mb": peak / 1e6}))


if __name__ == "__main__":
    main()
