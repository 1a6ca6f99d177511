"""How much of a collection lasts when it grows by a tenth: ``python -m benchmarks.lasting``.

Nine tenths of a collection are fitted. The last tenth is added, and then everything is fitted anew. What lasted is
counted from the published tables alone, and each event is held against the two assignments by a query of its own.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.photographs import find_photographs
from benchmarks.pipeline import concept
from concept_lib.database.queries import Row, last_refresh, open_database
from concept_lib.errors import ConceptError
from concept_lib.storage import Home, write_file

EVENTS = """
WITH pairs AS (SELECT x.concept_id AS a, y.concept_id AS b
               FROM membership_at($refresh - 1) x FULL JOIN membership_at($refresh) y USING (image_id)),
    old AS (SELECT a AS id, count(*) AS n, any_value(label) AS label FROM pairs
            JOIN concept_history h ON h.concept_id = a AND h.refresh_id = $refresh - 1 GROUP BY a),
    new AS (SELECT b AS id, count(*) AS n, any_value(label) AS label FROM pairs
            JOIN concept_history h ON h.concept_id = b AND h.refresh_id = $refresh GROUP BY b),
    lived AS (SELECT a, count(*) AS n FROM pairs WHERE a >= 0 AND b IS NOT NULL GROUP BY a),
    held AS (SELECT a, b, count(*) / any_value(lived.n) AS share FROM pairs JOIN lived USING (a) WHERE b >= 0
             GROUP BY a, b),
    parts AS (FROM held WHERE share >= 0.25 QUALIFY count(*) OVER (PARTITION BY a) >= 2),
    sources AS (FROM held WHERE share >= 0.5 QUALIFY count(*) OVER (PARTITION BY b) >= 2),
    stayed AS (SELECT old.id, old.n AS n_before, new.n AS n_after, new.n - old.n AS more,
                      old.label AS label_before, new.label AS label_after FROM old JOIN new USING (id)),
    told AS (
        SELECT 'born' AS kind, id, NULL AS other, NULL AS share, NULL AS n_before, n AS n_after, NULL AS label_before,
               label AS label_after FROM new WHERE id NOT IN (SELECT id FROM old)
        UNION ALL SELECT 'died', id, NULL, NULL, n, NULL, label, NULL FROM old WHERE id NOT IN (SELECT id FROM new)
        UNION ALL SELECT if(more > 0, 'grew', 'shrank'), id, NULL, NULL, n_before, n_after, label_before, label_after
               FROM stayed WHERE abs(more) >= 5 AND 10 * abs(more) >= n_before
        UNION ALL SELECT 'renamed', id, NULL, NULL, n_before, n_after, label_before, label_after
               FROM stayed WHERE label_before <> label_after
        UNION ALL SELECT 'split', a, b, share, old.n, new.n, old.label, new.label
               FROM parts JOIN old ON old.id = a JOIN new ON new.id = b
        UNION ALL SELECT 'merged', b, a, share, old.n, new.n, old.label, new.label
               FROM sources JOIN old ON old.id = a JOIN new ON new.id = b)
SELECT row_number() OVER (ORDER BY kind, id, other), * FROM told ORDER BY 1"""
"""What must have happened in a refresh, from the moves of images and the sizes and labels of concepts alone."""

TOLD = """
SELECT event_no, kind, concept_id, other_concept_id, overlap, n_before, n_after, label_before, label_after
FROM concept_events WHERE refresh_id = $refresh ORDER BY event_no"""
STATE = "SELECT image_id, concept_id, map_x, map_y, placed FROM concept_images ORDER BY image_id"
MIN_JACCARD = 0.3
SLACK = 0.005
KEPT_GALLERY = 0.95
SEED = 3
PAGE = Path(__file__).with_name("LASTING.md")


def kept_and_bound(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Share of the survivors, in a concept both times, that kept their id, and the most that any relabelling gives.

    Parameters
    ----------
    before, after
        Concept of each survivor, -1 for an outlier, shape (s,). Pairs of a Jaccard index below 0.3 do not count.

    Examples
    --------
    >>> kept_and_bound(np.array([1, 1, 2, 2, -1]), np.array([1, 1, 5, 5, 5]))
    (0.5, 1.0)
    """
    from scipy.optimize import linear_sum_assignment

    both = (before >= 0) & (after >= 0)
    old, new = np.unique(before[before >= 0]), np.unique(after[after >= 0])
    shared = np.array([[np.sum((before == a) & (after == b)) for b in new] for a in old], float)
    either = np.array([[np.sum((before == a) | (after == b)) for b in new] for a in old], float)
    allowed = np.where(shared >= MIN_JACCARD * either, shared, 0)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    n_both = max(1, int(both.sum()))
    return float(np.sum(both & (before == after)) / n_both), float(allowed[rows, columns].sum() / n_both)


def measure(folder: Path, work: Path, model: str = "demo") -> dict[str, float | str]:
    """Fit nine tenths of a folder, add the rest, fit anew; figures of what lasted.

    Raises
    ------
    ConceptError
        When an event of a refresh is not what the two assignments say.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".jpg", ".png"})
    order = np.random.default_rng(SEED).permutation(len(files))
    n_first = len(files) - len(files) // 10
    images, home = work / "images", Home(work / "home")
    first = ("refresh", "--home", home.path, "--images", images, "--model", model)
    _copy([files[row] for row in order[:n_first]], folder, images)
    concept(*first, cwd=work)
    fitted = _state(home)
    _copy([files[row] for row in order[n_first:]], folder, images)
    concept("refresh", "--home", home.path, cwd=work)
    assigned, mode = _state(home), _mode(home)
    concept("refresh", "--home", home.path, "--set", "reduction.refit=always", cwd=work)
    refitted = _state(home)
    afresh = Home(work / "afresh")
    concept("refresh", "--home", afresh.path, "--images", images, "--model", model, cwd=work)
    _check_events(home)
    return {"mode": mode} | _figures(fitted, assigned, refitted, _state(afresh))


def _copy(paths: Sequence[Path], source: Path, target: Path) -> None:
    for path in paths:
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _state(home: Home) -> dict[str, Row]:
    with open_database(home.database) as connection:
        rows = connection.execute(STATE).fetchall()
    return {row[0]: dict(zip(("concept", "x", "y", "placed"), row[1:], strict=True)) for row in rows}


def _mode(home: Home) -> str:
    latest = last_refresh(home.database)
    return str(latest["mode"]) if latest else "none"


def _concepts(state: dict[str, Row], images: Sequence[str]) -> np.ndarray:
    return np.array([state[image]["concept"] for image in images])


def _figures(
    fitted: dict[str, Row], assigned: dict[str, Row], refitted: dict[str, Row], afresh: dict[str, Row]
) -> dict[str, float | str]:
    from sklearn.metrics import adjusted_rand_score

    old, everyone = sorted(fitted), sorted(assigned)
    new = [image for image in everyone if image not in fitted]
    kept, bound = kept_and_bound(_concepts(assigned, everyone), _concepts(refitted, everyone))
    return {
        "images": len(everyone),
        "assigned": len(new),
        "kept_id": float(np.mean([assigned[i]["concept"] == fitted[i]["concept"] for i in old])),
        "kept_place": float(
            np.mean([(assigned[i]["x"], assigned[i]["y"]) == (fitted[i]["x"], fitted[i]["y"]) for i in old])
        ),
        "outliers": float(np.mean(_concepts(assigned, new) < 0)),
        "ari_full": float(adjusted_rand_score(_concepts(assigned, everyone), _concepts(afresh, everyone))),
        "ari_new": float(adjusted_rand_score(_concepts(assigned, new), _concepts(afresh, new))),
        "kept": kept,
        "bound": bound,
    }


def _check_events(home: Home) -> None:
    with open_database(home.database) as connection:
        for refresh in (2, 3):
            told = connection.execute(TOLD, {"refresh": refresh}).fetchall()
            true = connection.execute(EVENTS, {"refresh": refresh}).fetchall()
            if told != true:
                raise ConceptError(f"refresh {refresh}: {len(told)} events are told, {len(true)} are true")


LINES = (
    ("images", "images in all", "{:,}"),
    ("mode", "mode of the refresh that adds a tenth", "{}"),
    ("assigned", "images added", "{:,}"),
    ("kept_id", "images of before that kept their concept", "{:.1%}"),
    ("kept_place", "images of before that kept their coordinates", "{:.1%}"),
    ("outliers", "added images that are outliers", "{:.1%}"),
    ("ari_full", "agreement with a fit of everything from nothing: ARI, all images", "{:.3f}"),
    ("ari_new", "the same, of the added images", "{:.3f}"),
    ("kept", "then fitted anew: survivors that kept their id", "{:.4f}"),
    ("bound", "the most that any one-to-one relabelling keeps", "{:.4f}"),
)


def page(photographs: dict[str, float | str], gallery: dict[str, float | str]) -> str:
    """The table in Markdown."""
    lines = [
        "# What lasts when a collection grows by a tenth",
        "",
        "`python -m benchmarks.lasting`, demo model. Nine tenths are fitted, a tenth is added, then "
        "`--set reduction.refit=always` fits everything anew. Every row of `concept_events` of both refreshes is what "
        "a query over the two assignments says.",
        "",
        "| | photographs | sample gallery |",
        "|---|---:|---:|",
    ]
    for name, title, form in LINES:
        lines.append(f"| {title} | {form.format(photographs[name])} | {form.format(gallery[name])} |")
    lines += ["", *(_verdict(*pair) for pair in (("photographs", photographs), ("sample gallery", gallery)))]
    return "\n".join(lines) + "\n"


def _verdict(name: str, found: dict[str, float | str]) -> str:
    stands = found["mode"] == "assigned" and found["kept_id"] == 1 and found["kept_place"] == 1
    least = float(found["bound"]) - SLACK
    if name != "photographs":
        least = max(least, KEPT_GALLERY)
    return (
        f"- {name}: assigned, and all of before in its place: {'met' if stands else '**short**'}; "
        f"kept over the refit at least {least:.4f}: {'met' if float(found['kept']) >= least else '**short**'}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lasting", description=__doc__)
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos"))
    parser.add_argument("--out", type=Path, default=PAGE, help="gets the page")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            work = Path(scratch)
            for name in ("photographs", "gallery"):
                (work / name).mkdir()
            photographs = measure(find_photographs(options.photos).folder, work / "photographs")
            concept("sample", "sample", cwd=work)
            gallery = measure(work / "sample", work / "gallery")
    except ConceptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    text = page(photographs, gallery)
    write_file(options.out, text.encode())
    print(text, end="")


if __name__ == "__main__":
    main()
