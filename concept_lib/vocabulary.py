"""The words that may name a concept: the bundled nouns, WordNet's, or those of a file.

A vocabulary is read whole, in an order that depends on its source alone, so that its version changes
exactly when its words do.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from zipfile import BadZipFile

import pyarrow as pa
import pyarrow.parquet as pq

from concept_lib.errors import ConceptError

WORD_COLUMNS = ("word", "noun", "label", "term", "name")
MAX_WORD_LENGTH = 200
MAX_FILE_BYTES = 64 * 2**20

_REMEDY = (
    "set NLTK_DATA to a folder that holds corpora/wordnet.zip, connect once to download it, "
    "or take --vocabulary nouns"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Distinct words in a fixed order.

    Attributes
    ----------
    words
        Words or phrases as they are shown and encoded.
    source
        ``nouns``, ``wordnet``, ``none`` or the name of the file.

    Examples
    --------
    >>> Vocabulary(("apple", "pear"), "fruit.txt").version[:12]
    '11320db9f35a'
    """

    words: tuple[str, ...]
    source: str

    @property
    def version(self) -> str:
        """SHA-256 (hex) over the source's name and the words in their order."""
        # No word holds a newline: white space is collapsed on reading.
        return hashlib.sha256("\n".join((self.source, *self.words)).encode()).hexdigest()


def load_vocabulary(source: str, *, sample: int = 50_000, seed: int = 42) -> Vocabulary:
    """Read the words that may name a concept.

    Parameters
    ----------
    source
        ``nouns``: the everyday nouns that come with this package. ``wordnet``: the one-word noun lemmas
        of WordNet 3.0 through NLTK, downloaded when missing, sorted by code point; names keep their
        capital. ``none``: no words. Anything else is a UTF-8 file, and its words keep its order: ``.txt``
        with a word or phrase a line (blank lines and lines that begin with ``#`` do not count), ``.csv``
        or ``.parquet`` with the words in a column named word, noun, label, term or name, else in the
        first; a CSV file has a header when one of these names is in its first row.
    sample
        Words drawn from WordNet, without replacement, when it has more; other sources are never sampled.
    seed
        Seed of that draw.

    Returns
    -------
    Vocabulary
        Words in Unicode's composed form (NFC), white space collapsed, empty ones and repetitions dropped.

    Raises
    ------
    ConceptError
        If the file is missing, too large, of another kind or encoding, or without words; if a word has
        more than 200 characters or a control character; if WordNet is neither here nor to be had.

    Examples
    --------
    >>> "sunflower" in load_vocabulary("nouns").words
    True
    >>> load_vocabulary("none").words
    ()
    """
    if source == "none":
        return Vocabulary((), source)
    if source == "nouns":
        text = resources.files("concept_lib").joinpath("nouns.txt").read_text(encoding="utf-8")
        return Vocabulary(tuple(text.split("\n")[:-1]), source)
    if source == "wordnet":
        nouns = _wordnet_nouns()
        if len(nouns) > sample:
            nouns = sorted(random.Random(seed).sample(nouns, sample))  # noqa: S311  # a draw, not a secret
        return Vocabulary(tuple(nouns), source)
    path = Path(source).expanduser()
    return Vocabulary(_file_words(path), path.name)


def vocabulary_version(source: str, *, sample: int = 50_000, seed: int = 42) -> str:
    """SHA-256 (hex) of what `load_vocabulary` reads from the same arguments.

    Examples
    --------
    >>> vocabulary_version("nouns") == vocabulary_version("nouns", seed=7) != vocabulary_version("none")
    True
    """
    return load_vocabulary(source, sample=sample, seed=seed).version


def _wordnet_nouns() -> list[str]:
    """All distinct one-word noun lemmas of WordNet, sorted.

    These are the lemma names of NLTK's ``wordnet.all_synsets("n")``, read from the same file in a tenth
    of the time, for it makes no object of each synset. A line of ``data.noun`` (WordNet's wndb manual)
    holds offset, file number, type, a hexadecimal count of words, and for each word the word and a
    number; lines of the licence begin with two blanks.
    """
    try:
        lines = _wordnet_text().splitlines()
        fields = (line.split() for line in lines if not line.startswith("  "))
        nouns = {word for row in fields for word in row[4 : 4 + 2 * int(row[3], 16) : 2] if "_" not in word}
    except (OSError, EOFError, BadZipFile, ValueError, IndexError) as error:
        raise ConceptError(f"WordNet cannot be read ({_one_line(error)}); {_REMEDY}") from error
    return sorted(nouns)


def _wordnet_text() -> str:
    """The file ``data.noun`` of NLTK's WordNet, zipped or not; downloaded when it is not here."""
    import nltk.data

    # NLTK looks at NLTK_DATA once, when first imported; here it counts when the words are asked for.
    for folder in reversed(os.environ.get("NLTK_DATA", "").split(os.pathsep)):
        if folder and folder not in nltk.data.path:
            nltk.data.path.insert(0, folder)
    name = "corpora/wordnet/data.noun"
    try:
        found = nltk.data.find(name)
    except LookupError:
        _download_wordnet()
        try:
            found = nltk.data.find(name)
        except LookupError as error:  # NLTK tells this in a page of text
            raise ConceptError(f"WordNet was downloaded, but NLTK finds no {name}; {_REMEDY}") from error
    with found.open(encoding="utf-8") as file:
        return str(file.read())


def _download_wordnet() -> None:
    """Fetch WordNet's archive with NLTK, which says nothing on the way."""
    import nltk

    said = io.StringIO()
    try:
        done = nltk.download("wordnet", quiet=True, print_error_to=said)
    except (OSError, ValueError) as error:
        raise ConceptError(f"WordNet cannot be downloaded ({_one_line(error)}); {_REMEDY}") from error
    if not done:
        raise ConceptError(f"WordNet is not here and cannot be downloaded; {_REMEDY}")


def _file_words(path: Path) -> tuple[str, ...]:
    """Words of a text, CSV or Parquet file."""
    readers = {".txt": _text_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}
    takes = "take nouns, wordnet, none, or a .txt, .csv or .parquet file"
    try:
        if not path.exists():
            raise ConceptError(f"vocabulary not found: {path}; {takes}")
        if not path.is_file():
            raise ConceptError(f"vocabulary {path}: not a regular file; {takes}")
        if path.suffix.lower() not in readers:
            raise ConceptError(f"vocabulary {path}: unknown kind of file; {takes}")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ConceptError(
                f"vocabulary {path}: {size:,} bytes, over the limit of {MAX_FILE_BYTES:,}; take a smaller list"
            )
        words = _distinct(readers[path.suffix.lower()](path), path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise ConceptError(f"vocabulary {path} cannot be read: {_one_line(error)}") from error
    if not words:
        raise ConceptError(f"vocabulary {path}: no words in it; give it some, or take --vocabulary none")
    return words


def clean_words(words: Iterable[str]) -> list[str]:
    """Distinct words in the order of their first appearance, white space collapsed, empty ones left out.

    Examples
    --------
    >>> clean_words(["red  apple", " pear", "", "red apple"])
    ['red apple', 'pear']
    """
    return list(dict.fromkeys(word for raw in words if (word := _plain(raw))))


def _plain(raw: str) -> str:
    return unicodedata.normalize("NFC", " ".join(raw.split()))


def _distinct(rows: Iterable[tuple[int, str]], path: Path) -> tuple[str, ...]:
    """Cleaned words in the order of their first appearance."""
    words: dict[str, None] = {}
    for line, raw in rows:
        word = _plain(raw)
        if len(word) > MAX_WORD_LENGTH:
            raise ConceptError(
                f"vocabulary {path}, line {line}: {len(word)} characters; "
                f"a word or phrase takes at most {MAX_WORD_LENGTH}"
            )
        control = next((character for character in word if unicodedata.category(character) == "Cc"), None)
        if control is not None:
            raise ConceptError(
                f"vocabulary {path}, line {line}: control character U+{ord(control):04X}; remove it"
            )
        if word:
            words[word] = None
    return tuple(words)


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConceptError(f"vocabulary {path}, line {line}: not UTF-8; save the file as UTF-8") from error


def _text_rows(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and lines, comments left out."""
    for number, line in enumerate(io.StringIO(_text(path), newline=None), start=1):
        if not line.lstrip().startswith("#"):
            yield number, line


def _csv_rows(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and cells of the words' column."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    first = next(rows, [])
    column = _word_column(first)
    if column is None and first:
        yield rows.line_num, first[0]
    for row in rows:
        if len(row) > (column or 0):
            yield rows.line_num, row[column or 0]


def _parquet_rows(path: Path) -> Iterator[tuple[int, str]]:
    """Row numbers and values of the words' column, nulls left out."""
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        if not schema.names:
            raise ConceptError(f"vocabulary {path}: no column; give one column of words")
        field = schema.field(_word_column(schema.names) or 0)
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise ConceptError(
                f"vocabulary {path}: column {field.name!r} holds {field.type}, not text; "
                f"name the column of words one of {', '.join(WORD_COLUMNS)}"
            )
        number = 0
        for batch in file.iter_batches(batch_size=4096, columns=[field.name]):
            for value in batch.column(0).to_pylist():
                number += 1
                if value is not None:
                    yield number, value


def _word_column(names: Iterable[str]) -> int | None:
    """Position of the column whose name says that it holds words."""
    plain = [name.strip().lower() for name in names]
    return next((plain.index(name) for name in WORD_COLUMNS if name in plain), None)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
