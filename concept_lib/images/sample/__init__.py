"""The rendered sample gallery: 24 kinds of scene, each picture drawn from a seed."""

from __future__ import annotations

from concept_lib.images.sample.gallery import KINDS, render, write_gallery

__all__ = ["KINDS", "render", "write_gallery"]
