"""What a GPU makes of it: ``python -m benchmarks.gpu``, on a machine that has one, before ``benchmarks.full``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ours
from benchmarks.command import WORK, inputs_folder
from benchmarks.inputs.clip import write_clip
from benchmarks.inputs.pictures import SMALL, write_pictures
from benchmarks.report import n_cores
from benchmarks.worker import Found
from concept_lib.errors import ConceptError
from concept_lib.storage import write_file

DISTINCT, TIMES = 1600, 10
ALONE, BATCH = 8192, 1024


def measure(work: Path, precision: str) -> Found:
    """JPEG to vector and pixels to vector, images a second.

    Raises
    ------
    ConceptError
        Without a GPU.
    """
    import torch

    if not torch.cuda.is_available():
        raise ConceptError("torch sees no GPU here: run this where there is one")
    name = f"{torch.cuda.get_device_name()}, {n_cores()} cores"
    found: Found = {"device": name, "precision": precision}
    inputs = inputs_folder(work)
    clip = write_clip(inputs / "clip")
    pictures = list(map(str, write_pictures(inputs / "pictures" / "640x427", DISTINCT, SMALL))) * TIMES
    out = str(inputs / "embedded_gpu.npy")
    embedded = ours.embed(str(clip), pictures, out, precision=precision, device="cuda")
    found["jpeg"] = len(pictures) / embedded["embed"]["wall"]
    found["model"] = ours.pixels_per_second(str(clip), ALONE, BATCH, precision=precision, device="cuda")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write ``gpu.json``, from which the page takes its rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="folder of inputs and measures (%(default)s)")
    precisions = list(ours.PRECISIONS)
    parser.add_argument("--precision", choices=precisions, default=precisions[-1], help="(%(default)s)")
    options = parser.parse_args(arguments)
    try:
        found = measure(options.work.resolve(), options.precision)
    except ConceptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    text = json.dumps(found, indent=1)
    write_file(options.work / "gpu.json", text.encode())
    print(text)


if __name__ == "__main__":
    main()
