"""The demo model's figures beside simple baselines: ``python -m benchmarks.demo_model``.

The photographs are test data: look at the figures, and never tune by them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import JudgedConcept, grouping_figures, naming_figures
from benchmarks.photographs import MANIFEST, Photographs, decode, find_photographs
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from concept_assets.console import ProgressView
    from concept_lib.progress import Progress

Figures = dict[str, float]
PAGE = Path(__file__).with_name("DEMO_MODEL.md")


def check(photographs: Photographs, model: str) -> str:
    """Say at once what would fail later; the fingerprint of the model.

    Raises
    ------
    ConceptError
        When there is no such model, or a kind is no noun that the product could find.
    """
    from concept_lib.embedding.model_files import model_fingerprint
    from concept_lib.vocabulary import load_vocabulary

    if strange := sorted(set(photographs.kinds) - set(load_vocabulary("nouns").words)):
        raise ConceptError(f"{strange[0]} is a kind in {MANIFEST} and none of the bundled nouns")
    return model_fingerprint(model)


def measure(photographs: Photographs, model: str, fingerprint: str, view: ProgressView) -> str:
    """Measure all figures and write the page.

    Parameters
    ----------
    model
        "demo", a name on the hub, or an absolute path.
    fingerprint
        Of the model.
    view
        Shown the progress.

    Returns
    -------
    str
        Markdown.
    """
    from benchmarks.report import report
    from benchmarks.speed import measure_speed
    from concept_lib.vocabulary import load_vocabulary

    nouns = load_vocabulary("nouns").words
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="demo_model_") as folder:
        work = Path(folder)
        with _stage(view, "measuring speed"):
            own = measure_speed(photographs.folder, model)
        columns = _vector_figures(photographs, model, nouns, work, view)
        pipeline, judged = _product_figures(photographs, model, work, view)
    name = "the model" if Path(model).is_absolute() else model
    columns = {name: own | columns.pop("own") | pipeline} | columns
    return report(
        columns,
        judged,
        model=f"{model} ({fingerprint})",
        photographs=f"{len(photographs.files):,} photographs of {len(set(photographs.kinds))} kinds",
        load=load,
    )


def _vector_figures(
    photographs: Photographs, model: str, nouns: Sequence[str], work: Path, view: ProgressView
) -> dict[str, Figures]:
    """What can be told from the vectors alone, for the model ("own") and for each baseline."""
    from benchmarks.baselines import PIXELS, colours_and_gradients, encode, pixel_components, random_weights
    from concept_lib.embedding.encoder import load_encoder
    from concept_lib.embedding.model_files import locate

    kinds = photographs.kinds
    columns: dict[str, Figures] = {}
    with _stage(view, "loading the models"):
        encoders = {"own": load_encoder(model)}
        folder = random_weights(locate(model).folder, work / "random")
        encoders["random weights"] = load_encoder(str(folder))
    with _stage(view, "decoding the photos") as progress:
        pixels = decode(photographs, encoders["own"].image_size, progress=progress)
    for name, encoder in encoders.items():
        with _stage(view, f"embedding: {name}") as progress:
            vectors = encode(encoder, pixels, progress=progress)
            words = encoder.encode_texts(nouns)
        with _stage(view, f"figures: {name}"):
            columns[name] = naming_figures(vectors, kinds, nouns, words) | grouping_figures(vectors, kinds)
    with _stage(view, "decoding once more") as progress:
        pixels = decode(photographs, PIXELS, progress=progress)
    for name, make in (("pixel PCA", pixel_components), ("colour histogram + HOG", colours_and_gradients)):
        with _stage(view, name):
            columns[name] = grouping_figures(make(pixels), kinds)
    return columns


def _product_figures(
    photographs: Photographs, model: str, work: Path, view: ProgressView
) -> tuple[Figures, list[JudgedConcept]]:
    """What the whole product makes of the photographs and of the sample gallery."""
    from benchmarks.pipeline import concept_figures, gallery_figures, judge, refresh
    from benchmarks.report import GALLERY_SEEDS, gallery_key

    with _stage(view, "refresh of the photos"):
        published = refresh(photographs.folder, model, work)
    judged = judge(published, dict(zip(photographs.files, photographs.kinds, strict=True)))
    figures = concept_figures(judged, published)
    for seed in GALLERY_SEEDS:
        with _stage(view, f"gallery of seed {seed}"):
            found = gallery_figures(seed, model, work / f"gallery_{seed}")
        figures |= {gallery_key(name, seed): value for name, value in found.items()}
    return figures, judged


@contextmanager
def _stage(view: ProgressView, name: str) -> Iterator[Progress]:
    """Show a stage; yields what moves its bar."""
    view.started(name)
    yield partial(view.advanced, name)
    view.ended(name, reused=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.demo_model",
        description="Measure the demo model on photographs that it never saw, beside random weights, pixel PCA and "
        "colour histogram + HOG; then the whole product on them and on two sample galleries. Takes some minutes.",
    )
    parser.add_argument(
        "--photos",
        type=Path,
        default=Path("../shared/photos"),
        metavar="DIR",
        help=f"folder of test photographs with {MANIFEST}: columns file and label (default: %(default)s)",
    )
    parser.add_argument(
        "--model", default="demo", metavar="NAME|PATH", help="demo, or any model that the product takes"
    )
    parser.add_argument(
        "--out", type=Path, default=PAGE, metavar="FILE.md", help="gets the tables (default: %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables and write them; what a user can mend is one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        if not options.out.parent.is_dir():
            raise ConceptError(f"no folder {options.out.parent} for the page: give another file with --out")
        photographs = find_photographs(options.photos)
        from concept_assets.console import ProgressView
        from concept_lib.settings_sources import absolute_path
        from concept_lib.storage import write_file

        model = str(absolute_path("embedding.model", options.model, Path.cwd()))
        fingerprint = check(photographs, model)
        with ProgressView() as view:
            page = measure(photographs, model, fingerprint, view)
        write_file(options.out, page.encode())
    except (ConceptError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        sys.exit(130)
    print(page, end="")
    print(f"written to {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
