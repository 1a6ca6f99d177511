"""A collage with its caption, for tables that cut a cell below its middle."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from concept_lib.pictures.drawing import INK, PAPER

SIDE = 512  # px
SHOWN = 256  # px: MLflow's table of runs shows no more than the upper half of a square picture
CAPTION = 30  # px
GAP = 7  # px


def collage_card(collage: Image.Image, caption: str) -> Image.Image:
    """Set a collage and one line below it into the upper half of a square; the rest is transparent.

    Parameters
    ----------
    collage
        Scaled to fit, its proportions kept.
    caption
        Cut with an ellipsis where it is too long.

    Examples
    --------
    >>> collage_card(Image.new("RGB", (800, 400)), "cat, 40 images").size
    (512, 512)
    """
    card = Image.new("RGBA", (SIDE, SIDE), (255, 255, 255, 0))
    small = collage.convert("RGB")
    room = SHOWN - CAPTION - 3 * GAP
    scale = min((SIDE - 2 * GAP) / small.width, room / small.height)
    size = max(round(small.width * scale), 1), max(round(small.height * scale), 1)
    small = small.resize(size, Image.Resampling.LANCZOS)
    card.paste(PAPER, (0, 0, SIDE, GAP + small.height + CAPTION + GAP))
    card.paste(small, ((SIDE - small.width) // 2, GAP))
    line, font = " ".join(caption.split()), _font()
    shown = line
    while len(line) > 1 and font.getlength(shown) > SIDE - 2 * GAP:
        line = line[:-1]
        shown = f"{line.rstrip(' ,')}…"
    middle = (SIDE // 2, GAP + small.height + GAP // 2 + CAPTION // 2)
    ImageDraw.Draw(card).text(middle, shown, fill=INK, font=font, anchor="mm")
    return card


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The font of our figures."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf", CAPTION - 4)
