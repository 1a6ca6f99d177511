"""What the machine can do at best: matrix products of the size of ViT-B/32, and decoding."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.worker import Found

GFLOP = 8.7
"""Arithmetic of one image in CLIP's ViT-B/32 (Radford et al. 2021): 4.4 billion multiplications, as many additions."""

ROWS = 32 * 50  # a batch of images, 49 patches and a class token each
SHAPES = {(768, 2304): 1, (768, 768): 1, (768, 3072): 1, (3072, 768): 1}
"""Weights of a layer, (in, out), and how many there are: attention in and out, and the two of the perceptron."""

REPEATS, SECONDS = 3, 1.0
SIDE = 224  # px


def matrix_products() -> Found:
    """GFLOP/s of torch on all cores, ``fp32`` and ``bf16``, by the median of three."""
    import torch

    flop = sum(2 * ROWS * rows * columns * many for (rows, columns), many in SHAPES.items())
    found: Found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        layer = [
            (torch.randn(ROWS, rows, dtype=kind), torch.randn(columns, rows, dtype=kind))
            for rows, columns in SHAPES
        ]
        rates = []
        for _ in range(REPEATS + 1):  # the first is for warming up
            passes, start = 0, time.perf_counter()
            while time.perf_counter() - start < SECONDS:
                for inputs, weights in layer:
                    torch.nn.functional.linear(inputs, weights)
                passes += 1
            rates.append(passes * flop / (time.perf_counter() - start) / 1e9)
        found[name] = median(rates[1:])
    return found


def decoding(pictures: list[str]) -> Found:
    """Images a CPU-second, ``images_per_s``: Pillow, JPEGs in a coarser scale where that is enough, to 224 pixels."""
    from PIL import Image

    start = time.process_time()
    for path in pictures:
        with Image.open(path) as picture:
            picture.draft("RGB", (SIDE, SIDE))
            width, height = picture.size
            scale = SIDE / min(width, height)
            size = round(width * scale), round(height * scale)
            picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return {"images_per_s": len(pictures) / (time.process_time() - start)}
