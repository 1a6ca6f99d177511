"""Train the demo model: ``python -m concept_lib.embedding.demo_model.train --photos FILE``.

Rebuilds ``weights/`` and the model card from a seed. Stop it at any time: the same command goes on from the last
checkpoint, and ends with the same weights as a training that was never stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from concept_lib.embedding.demo_model import evaluate
from concept_lib.embedding.demo_model.card import model_card
from concept_lib.embedding.demo_model.data import Pictures, leave_out, load_pictures
from concept_lib.embedding.demo_model.export import export_model
from concept_lib.embedding.demo_model.foreign import foreign_pictures
from concept_lib.embedding.demo_model.learn import learn
from concept_lib.embedding.demo_model.recipe import Network, Recipe, Tokenizer
from concept_lib.embedding.demo_model.relations import load_covers, load_relations
from concept_lib.embedding.demo_model.text import train_tokenizer
from concept_lib.embedding.memory import keep_freed_memory
from concept_lib.embedding.model_files import Calibration
from concept_lib.progress import Progress
from concept_lib.storage import write_file
from concept_lib.vocabulary import load_vocabulary

HERE = Path(__file__).resolve().parent


def train(
    recipe: Recipe, photos: Path, work_dir: Path, out: Path, *, last_step: int | None = None
) -> evaluate.Figures | None:
    """Load the data, learn, and write the model folder and its card.

    Parameters
    ----------
    photos
        Parquet file with the columns ``label``, ``jpeg`` and ``source``.
    work_dir
        Holds the checkpoint.
    out
        Gets ``weights/`` and ``README.md``.
    last_step
        Stop after this step, with a checkpoint and nothing else written.

    Returns
    -------
    evaluate.Figures | None
        On the validation pictures; None when stopped early.
    """
    keep_freed_memory()
    nouns = list(load_vocabulary("nouns").words)
    with _bar("Pictures") as progress:
        training, validation = load_pictures(
            photos, renders_per_kind=recipe.renders_per_kind, progress=progress
        )
    words = sorted({*nouns, *training.words})
    tokenizer = train_tokenizer([*words, *load_relations(training.words).words()], recipe.vocab_size)
    training, validation = (leave_out(pictures, recipe.without) for pictures in (training, validation))
    checkpoint = work_dir / "checkpoint.safetensors"
    with _bar("Steps") as progress:
        model = learn(recipe, training, words, tokenizer, checkpoint, last_step=last_step, progress=progress)
    if last_step is not None and last_step < recipe.steps:
        return None
    return _finish(recipe, model, tokenizer, training, validation, words, out)


def _finish(
    recipe: Recipe,
    model: Network,
    tokenizer: Tokenizer,
    training: Pictures,
    validation: Pictures,
    words: Sequence[str],
    out: Path,
) -> evaluate.Figures:
    """Measure, calibrate, export, and write the card."""
    noun_vectors = evaluate.embed_words(model, tokenizer, words)
    image_vectors = evaluate.embed_pictures(model, validation)
    figures = evaluate.naming_figures(image_vectors, validation, words, noun_vectors)
    patterns = foreign_pictures(16, recipe.seed)
    pattern_vectors = evaluate.embed_pictures(model, patterns)
    labels, seed = validation.labels, recipe.seed
    known = evaluate.concept_cosines(image_vectors, labels, noun_vectors, seed)
    foreign = np.concatenate(
        [
            evaluate.concept_cosines(image_vectors, labels, noun_vectors, seed, mixed=True),
            evaluate.concept_cosines(pattern_vectors, patterns.labels, noun_vectors, seed),
        ]
    )
    confidence = evaluate.calibrate(known)
    kinds = [validation.words[code] for code in labels]
    hedging = evaluate.calibrate_hedging(image_vectors, kinds, words, noun_vectors, load_covers(words), seed)
    export_model(model, tokenizer, Calibration(**confidence, hedging=hedging), out / "weights")
    facts = confidence | {
        "sharpness": hedging.sharpness,
        "share": hedging.share,
        "megabytes": sum(file.stat().st_size for file in (out / "weights").iterdir()) / 1e6,
        "n_nouns": len(words),
        "known": float(np.median(known)),
        "foreign": float(np.median(foreign)),
        "refused": float(np.mean(known < confidence["midpoint"])),
        "accepted": float(np.mean(foreign >= confidence["midpoint"])),
        "n_training_renders": int(training.rendered.sum()),
        "n_training_photos": int((~training.rendered).sum()),
    }
    write_file(out / "README.md", model_card(recipe, figures, facts).encode())
    return figures


@contextmanager
def _bar(description: str) -> Iterator[Progress]:
    """A progress bar on a terminal, a line every two percent elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not Console().is_terminal:

        def line(done: int, total: int) -> None:
            if done * 50 // total > (done - 1) * 50 // total:
                print(f"{description}: {done} of {total}", flush=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bars:
        task = bars.add_task(description, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    import torch

    parser = argparse.ArgumentParser(
        prog="python -m concept_lib.embedding.demo_model.train",
        description="Train the demo model from a seed.",
    )
    parser.add_argument("--photos", type=Path, default=Path("../shared/training_photos.parquet"))
    parser.add_argument("--work-dir", type=Path, default=Path("data/demo_model"), help="holds the checkpoint")
    parser.add_argument("--out", type=Path, default=HERE, help="gets weights/ and README.md")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads; another number, other roundings")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    recipe = replace(Recipe(), steps=options.steps, seed=options.seed)
    figures = train(recipe, options.photos, options.work_dir, options.out)
    if figures is not None:
        print(
            f"first noun right: photographs {figures.photo_top1:.3f}, among five {figures.photo_top5:.3f}, "
            f"renders {figures.render_top1:.3f}; model in {options.out / 'weights'}"
        )


if __name__ == "__main__":
    main()
