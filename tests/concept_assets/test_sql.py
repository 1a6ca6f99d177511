"""The questions of docs/sql.md, each answered by other means too, also while refreshes publish."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from concept_lib.database.ask import ask
from concept_lib.storage import Home

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sql.md"
BLOCKS = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
TWIN = "pizza/pizza_003.jpg"


class State:
    """What two refreshes made, read from the assets' and the history's own files."""

    def __init__(self, home: Home) -> None:
        past = [home.history(n) for n in (1, 2)]
        self.refreshes = [pq.read_table(folder / "refreshes.parquet").to_pylist()[0] for folder in past]
        self.history = [
            row for folder in past for row in pq.read_table(folder / "concept_history.parquet").to_pylist()
        ]
        self.moves = pq.read_table(past[1] / "image_moves.parquet").to_pylist()
        self.events = pq.read_table(past[1] / "concept_events.parquet").to_pylist()
        made = json.loads(self.refreshes[-1]["data_versions"])["assets"]
        asset = {name: home.load_asset(name, entry["data_version"]) for name, entry in made.items()}
        self.files = sorted(asset["images"].table("files").to_pylist(), key=lambda row: row["path_bytes"])
        self.usable = [row for row in self.files if row["status"] == "usable"]
        self.path = {row["image_id"]: row["path"] for row in reversed(self.usable)}
        self.members = {row["image_id"]: row for row in asset["clusters"].table("members").to_pylist()}
        self.label = {row["concept_id"]: row["label"] for row in asset["labels"].table("labels").to_pylist()}
        words = asset["labels"].table("words").to_pylist()
        self.words = sorted((row for row in words if row["method"] == "cosine"), key=lambda row: row["rank"])
        self.concepts = asset["clusters"].table("concepts")["concept_id"].to_pylist()
        self.concept_vectors = asset["clusters"].array("vectors")
        self.ids = asset["image_embeddings"].table("ids")["image_id"].to_pylist()
        self.vectors = asset["image_embeddings"].array("vectors")
        nouns = asset["vocabulary"].table("words")["word"].to_pylist()
        self.word = dict(zip(nouns, asset["vocabulary_embeddings"].array("vectors"), strict=True))
        self.sizes = Counter(row["concept_id"] for row in self.members.values())


@pytest.fixture(scope="module")
def state(twice: Home) -> State:
    return State(twice)


def nearest(vectors: np.ndarray, vector: np.ndarray, top: int) -> list[tuple[int, float]]:
    """Rows with the highest cosine, and that cosine."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ (vector / np.linalg.norm(vector))
    order = np.argsort(-cosines, kind="stable")[:top]
    return [(int(row), float(cosines[row])) for row in order]


def largest(state: State) -> list[tuple]:
    shown = [
        (concept, n, [row["word"] for row in state.words if row["concept_id"] == concept][:5])
        for concept, n in state.sizes.items()
        if concept != -1
    ]
    total = len(state.members)
    return [
        (concept, state.label[concept], n, round(100 * n / total, 1), words)
        for concept, n, words in sorted(shown, key=lambda item: (-item[1], item[0]))
    ][:10]


def images_of_three(state: State) -> list[tuple]:
    rows = [row for row in state.members.values() if row["concept_id"] == 3]
    found = [(state.path[row["image_id"]], row["probability"], row["placed"]) for row in rows]
    ordered = sorted(found, key=lambda row: (-round(row[1], 3), row[0]))
    return [(path, round(probability, 3), placed) for path, probability, placed in ordered]


def concepts_like_food(state: State) -> list[tuple]:
    found = nearest(state.concept_vectors, state.word["food"], 3)
    ids = [(state.concepts[row], cosine) for row, cosine in found]
    return [(concept, state.label[concept], state.sizes[concept], cosine) for concept, cosine in ids]


def images_like(state: State, vector: np.ndarray, *, without: str | None = None) -> list[tuple]:
    found = [(state.ids[row], cosine) for row, cosine in nearest(state.vectors, vector, 6)]
    return [
        (state.path[image], state.members[image]["concept_id"], cosine)
        for image, cosine in found
        if image != without
    ][:5]


def images_like_a_sunflower(state: State) -> list[tuple]:
    return images_like(state, state.word["sunflower"])


def images_like_the_pizza(state: State) -> list[tuple]:
    image = next(row["image_id"] for row in state.files if row["path"] == TWIN)
    return images_like(state, state.vectors[state.ids.index(image)], without=image)


def copies(state: State) -> list[tuple]:
    return [(2, ["pizza/03.jpg", TWIN])]


def problems(state: State) -> list[tuple]:
    [broken] = [row for row in state.files if row["path"] == "broken.jpg"]
    return [("failed", broken["reason"], 1, "broken.jpg")]


def changes(state: State) -> list[tuple]:
    """A concept shrank when it lost a tenth of its images, and five of them at least."""
    sizes = {(row["refresh_id"], row["concept_id"]): row["n_images"] for row in state.history}
    return [
        ("shrank", concept, None, state.label[concept], sizes[1, concept], sizes[2, concept])
        for concept in state.concepts
        if sizes[1, concept] - sizes[2, concept] >= max(5, 0.1 * sizes[1, concept])
    ]


def moved(state: State) -> list[tuple]:
    rows = [
        (row["image_id"], state.path.get(row["image_id"]), row["from_concept_id"], row["to_concept_id"])
        for row in state.moves
    ]
    return sorted(rows)


def life_of_three(state: State) -> list[tuple]:
    titles = {row["refresh_id"]: row["title"] for row in state.refreshes}
    return [
        (
            row["refresh_id"],
            titles[row["refresh_id"]],
            row["label"],
            row["n_images"],
            None if row["drift"] is None else round(row["drift"], 4),
        )
        for row in state.history
        if row["concept_id"] == 3
    ]


def prices(state: State) -> dict[str, int]:
    """The user's own table: a price for each file, the broken one too."""
    return {row["path"]: number + 1 for number, row in enumerate(state.files)}


def totals(state: State) -> list[tuple]:
    known, of_label = prices(state), Counter[str]()
    images = Counter[str]()
    for row in state.usable:
        concept = state.members[row["image_id"]]["concept_id"]
        if concept != -1:
            of_label[state.label[concept]] += known[row["path"]]
            images[state.label[concept]] += 1
    return sorted(
        ((label, images[label], n) for label, n in of_label.items()), key=lambda row: (-row[2], row[0])
    )


QUESTIONS: list[Callable[[State], list[tuple]]] = [
    largest,
    images_of_three,
    concepts_like_food,
    images_like_a_sunflower,
    images_like_the_pizza,
    copies,
    problems,
    changes,
    moved,
    life_of_three,
    totals,
]


def approximately(rows: list[tuple]) -> list[tuple]:
    return [tuple(pytest.approx(v, abs=1e-5) if isinstance(v, float) else v for v in row) for row in rows]


@pytest.mark.parametrize(("block", "answer"), list(zip(BLOCKS, QUESTIONS, strict=False)))
def test_every_question_has_the_answer_that_the_files_give(
    twice: Home, state: State, tmp_path: Path, block: str, answer: Callable[[State], list[tuple]]
) -> None:
    lines = [f"{path},{price}" for path, price in prices(state).items()]
    (tmp_path / "prices.csv").write_text("\n".join(["path,price", *lines]))
    expected = answer(state)
    assert expected
    assert list(ask(twice.database, block)[-1].rows) == approximately(expected)


def test_answers_can_be_taken_along(twice: Home, state: State, tmp_path: Path) -> None:
    exports = [block for block in BLOCKS if block.startswith("COPY")]
    assert [ask(twice.database, block)[-1].rows for block in exports] == [
        [(len(state.members),)],
        [(len(state.concepts),)],
    ]
    labels = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    expected = [
        {"path": path, "label": state.label.get(row["concept_id"]), "probability": row["probability"]}
        for image, path in state.path.items()
        for row in [state.members[image]]
    ]
    assert labels == sorted(expected, key=lambda row: row["path"])
    table = pyarrow.csv.read_csv(tmp_path / "concepts.csv").to_pylist()
    assert [(row["concept_id"], row["label"], row["n_images"]) for row in table] == [
        (concept, state.label[concept], state.sizes[concept]) for concept in sorted(state.concepts)
    ]


def test_a_database_of_ones_own_reads_the_new_state_once_it_is_attached_again(
    own_home: Home, run, tmp_path: Path
) -> None:
    attach = next(block for block in BLOCKS if block.startswith("ATTACH"))
    (tmp_path / "data").symlink_to(own_home.path)
    with duckdb.connect() as mine:
        before = mine.execute(attach).fetchall()
        assert sum(n for _, n in before) == 48
        mine.execute("USE atlas")
        assert mine.execute("SELECT count(*) FROM find_concepts('food', top := 2)").fetchone() == (2,)
        mine.execute("USE memory")
        next(own_home.path.parent.rglob("photos/pizza/00.jpg")).unlink()
        run(own_home)
        same = mine.execute("SELECT label, n_images FROM atlas.concept_summary ORDER BY n_images DESC, label")
        assert same.fetchall() == before
        mine.execute("DETACH atlas")
        assert sum(n for _, n in mine.execute(attach).fetchall()) == 47


def test_questions_beside_publishing_refreshes_see_whole_states_only(own_home: Home, run) -> None:
    question = """
        SELECT (SELECT refresh_id FROM schema_info), (SELECT max(refresh_id) FROM refreshes),
               (SELECT n_images FROM refreshes ORDER BY refresh_id DESC LIMIT 1),
               (SELECT count(*) FROM images), (SELECT count(*) FROM concept_images),
               (SELECT count(*) FROM image_embeddings), (SELECT count(DISTINCT method) FROM concept_words)
    """
    seen: list[tuple[Any, ...]] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.extend(ask(own_home.database, question)[-1].rows)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            for number in range(3):
                (own_home.path.parent / "photos" / "beach" / f"{number:02d}.jpg").unlink()
                run(own_home)
        finally:
            over.set()
        looking.result()
    assert {row[0] for row in seen} >= {1, 2, 3}, "it looked before, between and after"
    for shown, latest, *sizes, methods in seen:
        assert latest == shown
        assert sizes == [49 - shown] * 4, "the first refresh had 48 images, each later one has one less"
        assert methods == 2
