"""What a model's image processor does to decoded pixels, in a few steps of NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from concept_lib.embedding.verdicts import UnsuitedError

Processor = Callable[[Sequence[Image.Image]], np.ndarray]
"""Images to float32, shape (n, 3, height, width)."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Cut or squeeze an image to a shape, then map each level of each channel.

    Parameters
    ----------
    image_size
        Pixels of the shorter side of what comes in.
    height, width
        Of what goes out.
    crops
        Cut the middle out; squeeze otherwise.
    resample
        Pillow's number of the filter that squeezes.
    levels
        What the levels 0 to 255 of red, green and blue become, float32, shape (3, 256).

    Examples
    --------
    >>> halves = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (3, 1))
    >>> Preprocessing(2, 2, 2, True, 3, halves)([np.full((2, 4, 3), 255, np.uint8)]).shape
    (1, 3, 2, 2)
    """

    image_size: int
    height: int
    width: int
    crops: bool
    resample: int
    levels: np.ndarray

    def __call__(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Prepare images for the network.

        Parameters
        ----------
        pixels
            RGB, uint8, shape (height, width, 3) each.

        Returns
        -------
        np.ndarray
            float32, shape (n, 3, height, width).
        """
        prepared = np.empty((len(pixels), 3, self.height, self.width), np.float32)
        for row, image in enumerate(pixels):
            fitted = self.fit(image)
            for channel, levels in enumerate(self.levels):
                # Indices of one byte cannot lie outside, and "clip" spares NumPy a copy to check them first.
                np.take(levels, fitted[:, :, channel], out=prepared[row, channel], mode="clip")
        return prepared

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Give one image its shape, uint8, shape (height, width, 3)."""
        rows, columns = image.shape[:2]
        if (rows, columns) == (self.height, self.width):
            return image
        if self.crops:
            top, left = (rows - self.height) // 2, (columns - self.width) // 2
            return image[top : top + self.height, left : left + self.width]
        resized = Image.fromarray(image).resize((self.width, self.height), Image.Resampling(self.resample))
        return np.asarray(resized)


def read_preprocessing(settings: object, image_size: int, processor: Processor) -> Preprocessing:
    """Learn from an image processor of transformers what it does, and prove it.

    Parameters
    ----------
    settings
        The processor, for how it fits an image into its shape; what it makes of a level it shows itself.
    image_size
        Pixels of the shorter side of what comes in.
    processor
        Runs it.

    Raises
    ------
    UnsuitedError
        When it gives other numbers than this would, for any of `probe_images`.
    """
    rows, columns = np.indices((image_size, image_size))
    ramp = np.repeat(((17 * rows + columns) % 256).astype(np.uint8)[:, :, None], 3, axis=2)
    shown = processor([Image.fromarray(ramp)])
    if shown.ndim != 4 or shown.shape[1] != 3:
        raise UnsuitedError("its image processor gives no three channels: take --set embedding.backend=torch")
    found = Preprocessing(
        image_size,
        height=shown.shape[2],
        width=shown.shape[3],
        crops=bool(getattr(settings, "do_center_crop", False)),
        resample=int(getattr(settings, "resample", None) or Image.Resampling.BICUBIC),
        levels=np.zeros((3, 256), np.float32),
    )
    fitted = found.fit(ramp)
    if fitted.shape[:2] == shown.shape[2:]:
        for channel in range(3):
            found.levels[channel, fitted[:, :, channel]] = shown[0, channel]
        probes = probe_images(image_size)
        if np.array_equal(found(probes), processor([Image.fromarray(probe) for probe in probes])):
            return found
    raise UnsuitedError(
        "its image processor does more than to cut or squeeze and to normalise: take --set embedding.backend=torch"
    )


def probe_images(image_size: int) -> list[np.ndarray]:
    """Sixteen images of chance, from smooth to rough and of several shapes, the same ones every time."""
    random = np.random.default_rng(0)
    probes = []
    for number in range(16):
        grain = min(image_size, 2 << (number % 8))
        colours = random.integers(0, 256, (grain, grain, 3), dtype=np.uint8)
        longer = image_size * (2 + number // 2) // 2
        shape = (image_size, longer) if number % 2 else (longer, image_size)
        probes.append(np.asarray(Image.fromarray(colours).resize(shape, Image.Resampling.BICUBIC)))
    return probes
