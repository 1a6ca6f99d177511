"""Vectors that somebody else computed, in place of an image tower."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from concept_lib.embedding.restricted_pickle import read_pickle
from concept_lib.errors import ConceptError
from concept_lib.storage import file_digest

_NORMALISED_AT_ONCE = 65_536  # rows: bounds the memory that float64 takes
_UNIT = 1e-6  # how far from 1 the length of a unit vector of float32 may be


class MatchedVectors(NamedTuple):
    """What `match_vectors` gives.

    Parameters
    ----------
    image_ids
        Images that have a vector, in the order asked for.
    vectors
        float32, shape (len(image_ids), dim).
    unmatched
        Ids of images without a vector.
    """

    image_ids: list[str]
    vectors: np.ndarray
    unmatched: list[str]


def load_vectors(file: Path) -> tuple[list[str], np.ndarray]:
    """Read names and vectors from a ``.npz`` or Parquet file, or from a pickle that holds nothing else.

    Parameters
    ----------
    file
        ``.npz`` with the arrays ``names`` (text) and ``vectors`` (n, dim); or Parquet with a column of text
        and one of lists of numbers, called ``names`` and ``vectors`` where there are several of a kind;
        or ``.pkl`` with a list of names and an array, which is read without running anything (`read_pickle`).

    Returns
    -------
    names
        n distinct names: image ids, paths relative to the folder of images, file names or their stems.
    vectors
        float32, shape (n, dim), rows of length 1.

    Raises
    ------
    ConceptError
        When the file is absent, of another form, or holds a vector without a direction.
    """
    suffix = file.suffix.lower()
    readers: dict[str, Callable[[Path], tuple[list[str], np.ndarray]]] = {
        ".npz": _read_npz,
        ".parquet": _read_parquet,
        ".pkl": read_pickle,
        ".pickle": read_pickle,
    }
    if suffix not in readers:
        raise ConceptError(f"{file}: vectors come from a .npz, .parquet or .pkl file")
    if not file.is_file():
        raise ConceptError(f"file of vectors not found: {file}")
    names, vectors = readers[suffix](file)
    _check_names(file, names, len(vectors))
    return names, _normalised(file, names, vectors)


def vectors_fingerprint(file: Path) -> str:
    """Fingerprint that stands for an image tower's: the digest of the file."""
    if not file.is_file():
        raise ConceptError(f"file of vectors not found: {file}")
    return file_digest(file)[:32]


def unit_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length 1, and which rows have no direction.

    Parameters
    ----------
    vectors
        Numbers, shape (n, dim).

    Returns
    -------
    unit
        float32, shape (n, dim); rows without a direction are zero.
    bad
        Positions of those, which are zero or not finite.

    Examples
    --------
    >>> unit, bad = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    >>> unit.round(1).tolist(), bad.tolist()
    ([[0.6000000238418579, 0.800000011920929], [0.0, 0.0]], [1])
    """
    unit = np.zeros(vectors.shape, np.float32)
    bad = np.zeros(len(vectors), bool)
    for start in range(0, len(vectors), _NORMALISED_AT_ONCE):
        rows = slice(start, start + _NORMALISED_AT_ONCE)
        block = vectors[rows].astype(np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            lengths = np.linalg.norm(block, axis=1, keepdims=True)
        good = np.isfinite(lengths) & (lengths > 0)
        lengths[np.abs(lengths - 1) < _UNIT] = 1  # they stay as they are, to the last bit
        np.divide(block, lengths, out=block, where=good)
        unit[rows] = np.where(good, block, 0)
        bad[rows] = ~good[:, 0]
    return unit, np.flatnonzero(bad)


def match_vectors(
    names: Sequence[str], vectors: np.ndarray, images: Mapping[str, Sequence[str]]
) -> MatchedVectors:
    """Find each image's vector: by its id, else a relative path, else a file name, else a stem.

    A file name or stem that two images share says nothing about either.

    Parameters
    ----------
    images
        Relative paths of each image, by image id.

    Examples
    --------
    >>> matched = match_vectors(["cup", "b/1.jpg"], np.eye(2), {"id0": ["a/cup.png"], "id1": ["a/1.jpg"]})
    >>> matched.image_ids, matched.unmatched
    (['id0'], ['id1'])
    """
    rows = {name: row for row, name in enumerate(names)}
    levels: list[Mapping[str, set[str]]] = [
        {key: {key} for key in images},
        {key: {path.removeprefix("./") for path in paths} for key, paths in images.items()},
        _unshared({key: {PurePosixPath(path).name for path in paths} for key, paths in images.items()}),
        _unshared({key: {PurePosixPath(path).stem for path in paths} for key, paths in images.items()}),
    ]
    found = {
        key: min(hits)
        for key in images
        if (
            hits := next(filter(None, ([rows[n] for n in level[key] if n in rows] for level in levels)), None)
        )
    }
    matched = vectors[np.fromiter(found.values(), np.int64, len(found))]
    return MatchedVectors(list(found), matched, [key for key in images if key not in found])


def _unshared(keys: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Keep the keys that one image alone has."""
    owner: dict[str, str | None] = {}
    for image, mine in keys.items():
        for key in mine:
            owner[key] = None if key in owner else image
    return {image: {key for key in mine if owner[key] == image} for image, mine in keys.items()}


def _check_names(file: Path, names: Sequence[str], n_vectors: int) -> None:
    """One name a vector, all distinct."""
    if len(names) != n_vectors:
        raise ConceptError(f"{file}: {len(names)} names for {n_vectors} vectors; they go in pairs")
    if not names:
        raise ConceptError(f"{file}: holds no vectors")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ConceptError(f"{file}: the name {name!r} occurs {times} times; names must be distinct")


def _read_npz(file: Path) -> tuple[list[str], np.ndarray]:
    """Arrays ``names`` and ``vectors``."""
    takes = (
        "takes an array of text 'names' and an array of numbers 'vectors' (n, dim), and no pickled objects"
    )
    try:
        with file.open("rb") as opened:
            stored = np.load(opened, allow_pickle=False)
            names, vectors = stored["names"], stored["vectors"]
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ConceptError(f"{file}: cannot be read; a .npz of vectors {takes}") from error
    if names.dtype.kind != "U" or names.ndim != 1 or vectors.dtype.kind not in "fiu" or vectors.ndim != 2:
        raise ConceptError(f"{file}: a .npz of vectors {takes}")
    return names.tolist(), vectors


def _read_parquet(file: Path) -> tuple[list[str], np.ndarray]:
    """One column of text and one of lists."""
    try:
        table = pq.ParquetFile(file)
        schema = table.schema_arrow
        names_column = _column(file, schema, "names", _is_text)
        vectors_column = _column(file, schema, "vectors", _is_vector)
        columns = table.read([names_column, vectors_column])
    except (OSError, pa.ArrowException) as error:
        raise ConceptError(f"{file}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    names = columns[names_column].to_pylist()
    chunks = [_matrix(file, chunk) for chunk in columns[vectors_column].chunks if len(chunk)]
    if None in names:
        raise ConceptError(f"{file}: row {names.index(None)} has no name")
    if len({chunk.shape[1] for chunk in chunks}) > 1:
        raise ConceptError(f"{file}: vectors must have the same length")
    return names, np.concatenate(chunks) if chunks else np.zeros((0, 0), np.float32)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_vector(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)))


def _column(file: Path, schema: pa.Schema, called: str, fits: Callable[[pa.DataType], bool]) -> str:
    """The only column of a kind, or the one of several that has the name."""
    fitting = [field.name for field in schema if fits(field.type)]
    if len(fitting) == 1:
        return str(fitting[0])
    if called in fitting:
        return called
    kind = "text" if called == "names" else "lists of numbers"
    raise ConceptError(f"{file}: takes one column of {kind}, or one of several called {called!r}")


def _matrix(file: Path, chunk: pa.Array) -> np.ndarray:
    """Shape (rows, dim)."""
    flat = chunk.flatten()
    lengths = (
        {chunk.type.list_size}
        if pa.types.is_fixed_size_list(chunk.type)
        else set(np.unique(chunk.value_lengths().to_numpy(zero_copy_only=False)).tolist())
    )
    if chunk.null_count or flat.null_count or len(lengths) != 1 or 0 in lengths:
        raise ConceptError(f"{file}: every row takes a vector, all of one length and without gaps")
    matrix: np.ndarray = flat.to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
    return matrix


def _normalised(file: Path, names: Sequence[str], vectors: np.ndarray) -> np.ndarray:
    unit, bad = unit_rows(vectors)
    if len(bad):
        raise ConceptError(f"{file}: the vector of {names[bad[0]]!r} is zero or not finite")
    return unit
