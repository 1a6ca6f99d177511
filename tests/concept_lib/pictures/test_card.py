"""A collage with its caption, in the upper half of a square."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from concept_lib.pictures.card import SHOWN, SIDE, collage_card

TEAL = (0, 128, 128)


@pytest.mark.parametrize("size", [(1024, 500), (300, 2000), (2000, 60), (1, 1)])
@pytest.mark.parametrize("caption", ["cat, 40 images", "a very long name " * 9, "", "猫"])
def test_all_of_it_is_in_the_upper_half(size: tuple[int, int], caption: str) -> None:
    card = np.asarray(collage_card(Image.new("RGB", size, TEAL), caption)).astype(int)
    assert card.shape == (SIDE, SIDE, 4)
    assert not card[SHOWN:, :, 3].any(), "below the middle nothing is shown"
    rows, columns = np.nonzero((abs(card[..., :3] - TEAL) < 3).all(axis=2))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert (card[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, :3] == TEAL).all()
    assert width / height == pytest.approx(size[0] / size[1], rel=0.15)
    ink = (card[rows.max() + 1 :, :, :3] < 100).all(axis=2) & (card[rows.max() + 1 :, :, 3] == 255)
    assert ink.any() == bool(caption)
    assert not ink[:, [0, -1]].any(), "a long caption is cut"
