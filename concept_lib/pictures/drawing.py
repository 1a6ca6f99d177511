"""What our figures share: paper, inks, and how they become a PNG."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
INK, QUIET, PAPER = "#1c1e21", "#767b82", "#ffffff"


def blank(width: int, height: int) -> Figure:
    """Make a figure of a size in pixels, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def render(figure: Figure) -> bytes:
    """PNG bytes, the same for the same figure."""
    buffer = io.BytesIO()
    with any_script():
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def any_script() -> warnings.catch_warnings:
    """Context in which a script that the bundled font lacks shows as boxes, without a warning a glyph."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)
