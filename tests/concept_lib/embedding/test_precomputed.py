"""Vectors from files of other people."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.embedding.precomputed import load_vectors, match_vectors, vectors_fingerprint
from concept_lib.errors import ConceptError

NAMES = ["beach/1.jpg", "größe.png", "id"]
VECTORS = np.array([[3, 4], [0, 2], [-5, 12]], np.float64)
UNIT = np.array([[0.6, 0.8], [0, 1], [-5 / 13, 12 / 13]])


def npz(path: Path, names: object = NAMES, vectors: object = VECTORS, **more: object) -> Path:
    np.savez(path, names=np.asarray(names), vectors=np.asarray(vectors), **more)
    return path


def parquet(path: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_npz(tmp_path: Path, dtype: type) -> None:
    names, vectors = load_vectors(npz(tmp_path / "v.npz", vectors=VECTORS.astype(dtype)))
    assert names == NAMES
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, UNIT, atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32()),
        pa.large_list(pa.float64()),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float16(), 2),
    ],
)
@pytest.mark.parametrize("text", [pa.string(), pa.large_string()])
def test_parquet(tmp_path: Path, kind: pa.DataType, text: pa.DataType) -> None:
    columns = {
        "file": pa.array(NAMES, text),
        "n": pa.array([1, 2, 3]),
        "embedding": pa.array(VECTORS.astype(np.float16).tolist(), kind),
    }
    names, vectors = load_vectors(parquet(tmp_path / "v.parquet", columns))
    assert names == NAMES
    np.testing.assert_allclose(vectors, UNIT, atol=1e-6)


def test_parquet_of_many_row_groups(tmp_path: Path) -> None:
    table = pa.table({"name": [str(i) for i in range(1000)], "v": [[i + 1.0, 0.0] for i in range(1000)]})
    pq.write_table(table, tmp_path / "v.parquet", row_group_size=7)
    names, vectors = load_vectors(tmp_path / "v.parquet")
    assert names == [str(i) for i in range(1000)]
    assert vectors.tolist() == [[1, 0]] * 1000


def test_parquet_with_several_columns_of_a_kind(tmp_path: Path) -> None:
    columns = {"license": ["x"] * 3, "names": NAMES, "vectors": VECTORS.tolist(), "more": VECTORS.tolist()}
    assert load_vectors(parquet(tmp_path / "v.parquet", columns))[0] == NAMES
    for lost, message in (("names", "one column of text"), ("vectors", "one column of lists of numbers")):
        renamed = {f"x{key}" if key == lost else key: value for key, value in columns.items()}
        renamed["also"] = ["y"] * 3
        with pytest.raises(ConceptError, match=message):
            load_vectors(parquet(tmp_path / "w.parquet", renamed))


@given(st.lists(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), min_size=1, max_size=5))
def test_rows_point_where_they_did(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:
    given_rows = np.array(rows)
    file = npz(tmp_path_factory.mktemp("v") / "v.npz", [str(i) for i in range(len(rows))], given_rows)
    lengths = np.linalg.norm(given_rows, axis=1, keepdims=True)
    if (lengths == 0).any():
        with pytest.raises(ConceptError, match="zero or not finite"):
            load_vectors(file)
    else:
        np.testing.assert_allclose(load_vectors(file)[1], given_rows / lengths, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_named(tmp_path: Path, bad: float) -> None:
    vectors = VECTORS.copy()
    vectors[1, 1] = bad
    with pytest.raises(ConceptError, match=r"v\.npz: the vector of 'größe\.png' is zero or not finite"):
        load_vectors(npz(tmp_path / "v.npz", vectors=vectors))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": NAMES[:2]}, "2 names for 3 vectors"),
        ({"names": ["a", "b", "a"]}, "'a' occurs 2 times"),
        ({"names": [1, 2, 3]}, "takes an array of text 'names'"),
        ({"vectors": VECTORS[0]}, "takes an array of text 'names'"),
        ({"vectors": VECTORS.astype(str)}, "takes an array of text 'names'"),
        ({"names": np.array(NAMES, object)}, "no pickled objects"),
        ({"names": np.zeros(0, str), "vectors": np.zeros((0, 2))}, "holds no vectors"),
        ({"vectors": np.zeros((3, 0))}, "zero or not finite"),
    ],
)
def test_npz_of_another_form(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(ConceptError, match=message) as caught:
        load_vectors(npz(tmp_path / "v.npz", **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"names": NAMES, "vectors": [[1.0], [2.0], None]}, "without gaps"),
        (
            {"names": NAMES, "vectors": pa.array([[1.0], [2.0], None], pa.list_(pa.float32(), 1))},
            "without gaps|cannot be read",  # Arrow 25 cannot read what it wrote
        ),
        ({"names": NAMES, "vectors": [[1.0], [2.0], [None]]}, "without gaps"),
        ({"names": NAMES, "vectors": [[1.0], [2.0], [3.0, 4.0]]}, "of one length"),
        ({"names": NAMES, "vectors": [[], [], []]}, "of one length|lists of numbers"),
        ({"names": ["a", None, "b"], "vectors": VECTORS.tolist()}, "row 1 has no name"),
        ({"names": NAMES, "vectors": [["a"]] * 3}, "one column of lists of numbers"),
        ({"names": [1, 2, 3], "vectors": VECTORS.tolist()}, "one column of text"),
        (
            {"names": pa.array([], pa.string()), "vectors": pa.array([], pa.list_(pa.float32()))},
            "holds no vectors",
        ),
    ],
)
def test_parquet_of_another_form(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(ConceptError, match=message) as caught:
        load_vectors(parquet(tmp_path / "v.parquet", columns))
    assert "\n" not in str(caught.value)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    whole = npz(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("hello")
    (tmp_path / "v.csv").write_text("a,1")
    np.savez(tmp_path / "other.npz", something=VECTORS)
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, VECTORS)
    for name, message in (
        ("text.npz", "cannot be read"),
        ("cut.npz", "cannot be read"),
        ("empty.npz", "cannot be read"),
        ("array.npz", "cannot be read"),
        ("other.npz", "'vectors'"),
        ("text.parquet", "cannot be read as Parquet"),
        ("v.csv", r"come from a \.npz, \.parquet or \.pkl file"),
        ("absent.npz", "not found"),
    ):
        with pytest.raises(ConceptError, match=message) as caught:
            load_vectors(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


class Trap:
    """Leaves a file behind when unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


def test_what_a_pickle_would_run_never_runs(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "v.pkl").write_bytes(pickle.dumps(Trap(sprung)))
    npz(tmp_path / "v.npz", names=np.array([Trap(sprung)] * 3, object))
    for name in ("v.pkl", "v.npz"):
        with pytest.raises(ConceptError, match=r"savez|pickled objects"):
            load_vectors(tmp_path / name)
    assert not sprung.exists()


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    first, second = npz(tmp_path / "a.npz"), npz(tmp_path / "b.npz", vectors=VECTORS + 1)
    assert vectors_fingerprint(first) != vectors_fingerprint(second)
    (tmp_path / "c.npz").write_bytes(first.read_bytes())
    assert vectors_fingerprint(tmp_path / "c.npz") == vectors_fingerprint(first)
    with pytest.raises(ConceptError, match="not found"):
        vectors_fingerprint(tmp_path / "absent.npz")


def test_an_image_is_known_by_id_path_file_name_or_stem() -> None:
    images = {
        "id0": ["x/a.jpg"],
        "id1": ["x/b.jpg", "y/c.jpg"],
        "id2": ["z/d.jpg"],
        "id3": ["z/e.jpg"],
        "id4": ["z/f.jpg"],
    }
    names = ["e", "d.jpg", "y/c.jpg", "id0", "unused"]
    matched = match_vectors(names, np.arange(10.0).reshape(5, 2), images)
    assert matched.image_ids == ["id0", "id1", "id2", "id3"]
    assert matched.vectors[:, 0].tolist() == [6, 4, 2, 0]
    assert matched.unmatched == ["id4"]


def test_the_nearer_name_wins() -> None:
    names = ["a", "a.jpg", "x/a.jpg", "id0"]
    vectors = np.eye(4)
    for n in range(4, 0, -1):
        matched = match_vectors(names[:n], vectors[:n], {"id0": ["x/a.jpg"]})
        assert matched.vectors.argmax() == n - 1


@pytest.mark.parametrize("name", ["1.jpg", "1"])
def test_a_name_that_two_images_share_is_nobodys(name: str) -> None:
    images = {"id0": ["beach/1.jpg"], "id1": ["forest/1.jpg"]}
    assert match_vectors([name], np.ones((1, 2)), images).unmatched == ["id0", "id1"]
    copies = {"id0": ["beach/1.jpg", "forest/1.jpg"]}
    assert match_vectors([name], np.ones((1, 2)), copies).image_ids == ["id0"]


def test_nothing_matches() -> None:
    matched = match_vectors(["a"], np.ones((1, 2)), {"id0": ["b.jpg"]})
    assert matched.image_ids == []
    assert matched.vectors.shape == (0, 2)
