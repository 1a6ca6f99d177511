from __future__ import annotations

import csv
import hashlib
import os
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.errors import ConceptError
from concept_lib.images.sample import KINDS
from concept_lib.vocabulary import MAX_FILE_BYTES, Vocabulary, load_vocabulary, vocabulary_version

GALLERY = {
    *("beach", "mountain", "forest", "city at night", "starry sky", "desert", "snow", "sailboat", "balloon"),
    *("flower", "sunflower", "fish", "butterfly", "apple", "cup", "house", "clock", "umbrella", "candle"),
    *("fireworks", "rainbow", "train", "lighthouse", "pizza"),
}


@pytest.fixture(scope="module")
def nouns() -> tuple[str, ...]:
    return load_vocabulary("nouns").words


@pytest.fixture
def wordnet(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WordNet where only NLTK_DATA, set after NLTK was imported, tells of it."""
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("NLTK_DATA", os.pathsep.join([str(shared / "absent"), str(shared / "nltk_data")]))


@pytest.fixture
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No WordNet on this machine, and no server that has it."""
    import nltk
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("NLTK_DATA", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(nltk.download.__self__, "_url", "http://127.0.0.1:9/index.xml")


def write(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.write_bytes(text.encode(encoding))
    return str(path)


def error_of(source: str) -> str:
    with pytest.raises(ConceptError) as caught:
        load_vocabulary(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nouns_are_many_sorted_distinct_and_plain(nouns: tuple[str, ...]) -> None:
    assert len(nouns) >= 2_200
    assert list(nouns) == sorted(set(nouns))
    assert all(noun.isascii() and noun.islower() and " ".join(noun.split()) == noun for noun in nouns)
    assert all(set(noun) <= set("abcdefghijklmnopqrstuvwxyz -'") for noun in nouns)
    assert sum(" " in noun for noun in nouns) < len(nouns) / 5
    without_gaps = [noun.replace(" ", "").replace("-", "") for noun in nouns]
    assert len(set(without_gaps)) == len(nouns), "two spellings of one noun"


def test_nouns_hold_every_kind_of_the_gallery(nouns: tuple[str, ...]) -> None:
    assert (GALLERY | set(KINDS)) - set(nouns) == set()


def test_nouns_hold_every_label_of_the_shop_photos(nouns: tuple[str, ...], shared: Path) -> None:
    with (shared / "photos" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    trained = pq.read_table(shared / "training_photos.parquet", columns=["label"])["label"].to_pylist()
    assert len(labels) == 53
    assert (labels | set(trained)) - set(nouns) == set()


@pytest.mark.usefixtures("wordnet")
def test_wordnet_is_all_distinct_one_word_nouns() -> None:
    words = load_vocabulary("wordnet", sample=10**6).words
    assert len(words) == 58_690
    assert list(words) == sorted(set(words))
    assert {"dog", "Paris", "kangaroo"} <= set(words)
    assert not any("_" in word or " " in word for word in words)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The multilingual functions are not available")
@pytest.mark.usefixtures("wordnet")
def test_wordnet_agrees_with_the_lemmas_of_nltk(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    monkeypatch.setattr(nltk.data, "path", [str(shared / "nltk_data")])
    reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet.zip/wordnet/"), None)
    names = [name for synset in reader.all_synsets("n") for name in synset.lemma_names() if "_" not in name]
    assert len(names) == 83_939
    assert set(load_vocabulary("wordnet", sample=10**6).words) == set(names)


@pytest.mark.usefixtures("wordnet")
def test_wordnet_is_drawn_by_its_seed() -> None:
    everything = set(load_vocabulary("wordnet", sample=58_690).words)
    assert len(everything) == 58_690
    drawn = load_vocabulary("wordnet")
    assert len(set(drawn.words)) == len(drawn.words) == 50_000
    assert set(drawn.words) < everything
    assert load_vocabulary("wordnet") == drawn
    other = load_vocabulary("wordnet", seed=43)
    assert len(other.words) == 50_000
    assert other.words != drawn.words
    assert len({drawn.version, other.version, vocabulary_version("wordnet", sample=9)}) == 3


@pytest.mark.usefixtures("no_wordnet")
def test_wordnet_offline_is_one_line_with_the_remedy(capfd: pytest.CaptureFixture[str]) -> None:
    message = error_of("wordnet")
    assert "NLTK_DATA" in message
    assert "--vocabulary nouns" in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_wordnet")
def test_wordnet_is_downloaded_when_missing(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk
    import nltk.data

    asked = []

    def download(package: str, **_: object) -> bool:
        asked.append(package)
        nltk.data.path.append(str(shared / "nltk_data"))
        return True

    monkeypatch.setattr(nltk, "download", download)
    assert len(load_vocabulary("wordnet", sample=10).words) == 10
    assert asked == ["wordnet"]


@pytest.mark.usefixtures("no_wordnet")
def test_a_download_that_leaves_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk, "download", lambda *_, **__: True)
    assert "NLTK finds no corpora/wordnet/data.noun" in error_of("wordnet")


@pytest.mark.parametrize("content", [b"00001740 03 n zz entity 0", b"00001740 03\n", b"\xff\xfe\x00"])
@pytest.mark.usefixtures("no_wordnet")
def test_damaged_wordnet_is_one_line_with_the_remedy(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "corpora" / "wordnet"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "data.noun").write_bytes(content)
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "data"))
    assert "WordNet cannot be read" in error_of("wordnet")


@pytest.mark.usefixtures("no_wordnet")
def test_a_broken_archive_of_wordnet_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "corpora"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "wordnet.zip").write_bytes(b"PK\x03\x04 cut short")
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "data"))
    assert "--vocabulary nouns" in error_of("wordnet")


def test_text_is_cleaned_and_keeps_its_order(tmp_path: Path) -> None:
    text = "\ufeffzebra\r\n  # a comment\r\n\r\n  bell \t pepper \r\nzebra\r\ncafe\u0301\r\ncaf\u00e9\r\nC# sheet"
    vocabulary = load_vocabulary(write(tmp_path / "my words.TXT", text))
    assert vocabulary == Vocabulary(("zebra", "bell pepper", "caf\u00e9", "C# sheet"), "my words.TXT")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apple,1\npear,2\n", ("apple", "pear")),
        ("id,Noun \n1,apple\n2,\n3\n4,pear\n", ("apple", "pear")),
        ("\ufefflabel\napple\n#1 hat\n", ("apple", "#1 hat")),
        ("name,word\nx,apple\ny,pear\n", ("apple", "pear")),
        ('apple\n"salt, ""fine"""\n\n"two\nlines"\n', ("apple", 'salt, "fine"', "two lines")),
    ],
)
def test_csv_takes_the_named_column_or_the_first(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    assert load_vocabulary(write(tmp_path / "words.csv", text)).words == words


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.parametrize("name", ["Term", "anything"])
def test_parquet_takes_the_named_column_or_the_first(kind: pa.DataType, name: str, tmp_path: Path) -> None:
    words = pa.array(["pear", None, " apple ", "pear"], pa.string()).cast(kind)
    columns = {"id": pa.array(range(4)), name: words} if name == "Term" else {name: words, "id": range(4)}
    pq.write_table(pa.table(columns), tmp_path / "words.parquet")
    assert load_vocabulary(str(tmp_path / "words.parquet")).words == ("pear", "apple")


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60), min_size=1
    ).map(lambda words: list(dict.fromkeys(unicodedata.normalize("NFC", " ".join(w.split())) for w in words)))
)
def test_every_kind_of_file_gives_back_its_words(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    words = ["thing", *(word for word in words if word not in ("", "thing"))]
    folder = tmp_path_factory.mktemp("vocabulary")
    with (folder / "words.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["word"], *([word] for word in words)])
    pq.write_table(pa.table({"word": words}), folder / "words.parquet")
    (folder / "words.txt").write_text("\n".join(words), encoding="utf-8")
    for name in ("words.csv", "words.parquet"):
        assert load_vocabulary(str(folder / name)).words == tuple(words)
    without_comments = tuple(word for word in words if not word.startswith("#"))
    assert load_vocabulary(str(folder / "words.txt")).words == without_comments


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.txt", b"", "no words"),
        ("comments.txt", b"# only\n\n", "no words"),
        ("header.csv", b"word\n", "no words"),
        ("latin.txt", "apple\ncafé".encode("latin-1"), "line 2: not UTF-8"),
        ("utf16.csv", "apple\n".encode("utf-16"), "line 1: not UTF-8"),
        ("long.txt", b"apple\n" + b"x" * 201, "line 2: 201 characters"),
        ("bell.txt", b"apple\nring\x07ing\n", "line 2: control character U+0007"),
        ("nul.csv", b"word,n\napple,1\npe\x00ar,2\n", "nul.csv"),
        ("quote.csv", b'apple\n"pear\n', "cannot be read"),
        ("broken.parquet", b"PAR1 not really PAR1", "cannot be read"),
        ("empty.parquet", b"", "cannot be read"),
        ("words.json", b"[]", ".txt, .csv or .parquet"),
    ],
)
def test_a_file_that_will_not_do_is_one_line_that_names_it(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    message = error_of(str(tmp_path / name))
    assert name in message
    assert says in message


def test_a_missing_file_names_what_else_there_is(tmp_path: Path) -> None:
    message = error_of(str(tmp_path / "noun"))
    assert "not found" in message
    assert "nouns, wordnet, none, or a .txt, .csv or .parquet file" in message


def test_what_is_not_a_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.csv").mkdir()
    assert "not a regular file" in error_of(str(tmp_path / "pipe.txt"))
    assert "not a regular file" in error_of(str(tmp_path / "folder.csv"))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert "over the limit" in error_of(str(tmp_path / "huge.txt"))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"word": [1, 2], "other": ["a", "b"]}), "'word' holds int64"),
        (pa.table({"vector": [[1.0]], "text": ["a"]}), "name the column of words one of word, noun"),
        (pa.table({"word": pa.array([b"a"], pa.binary())}), "holds binary"),
        (pa.table({}), "no column"),
        (pa.table({"word": pa.array([None, " "], pa.string())}), "no words"),
    ],
)
def test_parquet_without_text_is_one_line(table: pa.Table, says: str, tmp_path: Path) -> None:
    pq.write_table(table, tmp_path / "words.parquet")
    assert says in error_of(str(tmp_path / "words.parquet"))


def test_the_version_follows_words_order_and_source(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", "apple\npear\n")
    version = vocabulary_version(first)
    assert version == hashlib.sha256(b"a.txt\napple\npear").hexdigest()
    write(tmp_path / "a.txt", "# same words\n apple\n\npear\napple")
    assert vocabulary_version(first) == version
    write(tmp_path / "a.txt", "pear\napple\n")
    assert vocabulary_version(first) != version
    assert vocabulary_version(write(tmp_path / "b.txt", "apple\npear\n")) != version
