"""Pickles of other people: what they hold is read, what they would run is not."""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from concept_lib.embedding import restricted_pickle
from concept_lib.embedding.precomputed import load_vectors
from concept_lib.embedding.restricted_pickle import read_pickle
from concept_lib.errors import ConceptError

NAMES = ["a.jpg", "größe.png", "\U0001f600.jpg"]
VECTORS = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
PROTOCOLS = (2, 3, 4, 5)
WHOLE = {protocol: pickle.dumps((NAMES, VECTORS), protocol) for protocol in PROTOCOLS}


def stored(folder: Path, data: bytes) -> Path:
    (folder / "v.pkl").write_bytes(data)
    return folder / "v.pkl"


def refused(folder: Path, data: bytes) -> str:
    with pytest.raises(ConceptError) as caught:
        read_pickle(stored(folder, data))
    said = str(caught.value)
    assert said.startswith(f"{folder / 'v.pkl'}: ")
    assert "numpy.savez('vectors.npz'" in said
    assert said.isprintable()
    assert len(said) < 700
    return said


# ── what is read ────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=arrays.arrays(
        st.sampled_from(["<f2", "<f4", "<f8", ">f4", ">f8"]), st.tuples(st.integers(1, 5), st.integers(1, 5))
    ),
    protocol=st.sampled_from(PROTOCOLS),
    layout=st.sampled_from(["C", "F", "transposed", "strided", "read-only"]),
    pair=st.sampled_from([tuple, list]),
    names=st.sampled_from([tuple, list]),
    text=st.lists(st.text(max_size=300), min_size=5, max_size=5),
)
def test_what_was_pickled_is_read(tmp_path: Path, vectors, protocol, layout, pair, names, text) -> None:
    if layout in "CF":
        vectors = np.array(vectors, order=layout)
    elif layout == "transposed":
        vectors = vectors.T
    elif layout == "strided":
        vectors = vectors[:, ::-1]
    else:
        vectors.flags.writeable = False
    called = names(text[: len(vectors)])
    found, read = read_pickle(stored(tmp_path, pickle.dumps(pair([called, vectors]), protocol)))
    assert found == list(called)
    assert read.dtype == vectors.dtype
    np.testing.assert_array_equal(read, vectors)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickles_of_older_versions_of_numpy(tmp_path: Path, protocol: int) -> None:
    older = WHOLE[protocol].replace(b"numpy._core.", b"numpy.core.")
    if protocol >= 4:  # the lengths of the text and of the frame
        older = older.replace(b"\x16numpy.core.m", b"\x15numpy.core.m")
        older = older.replace(b"\x13numpy.core.n", b"\x12numpy.core.n")
        older = older[:3] + struct.pack("<Q", struct.unpack("<Q", older[3:11])[0] - 1) + older[11:]
    assert older != WHOLE[protocol]
    names, vectors = read_pickle(stored(tmp_path, older))
    assert names == NAMES
    np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".PKL"])
def test_the_vectors_have_length_one(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"v{suffix}"
    file.write_bytes(WHOLE[4])
    names, vectors = load_vectors(file)
    assert names == NAMES
    np.testing.assert_allclose(vectors, VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), atol=1e-6)


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────


class Calls:
    """Calls something when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> object:
        return self.reduced


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_runs(tmp_path: Path, protocol: int) -> None:
    sprung = str(tmp_path / "sprung")
    traps = [
        Calls(os.system, f"touch {sprung}"),
        Calls(os.mkdir, sprung),
        Calls(builtins.eval, f"open({sprung!r}, 'w')"),
        Calls(builtins.exec, f"open({sprung!r}, 'w')"),
        Calls(builtins.open, sprung, "w"),
        Calls(np.save, sprung, VECTORS),
        Calls(np.testing.rundocs, sprung),
        Calls(getattr, np.ndarray, "tofile"),
        Calls(pickle.loads, pickle.dumps(Calls(os.mkdir, sprung))),
        Calls(np.fromfile, __file__),
    ]
    for trap in traps:
        for content in (trap, (NAMES, trap), ([trap], VECTORS), (NAMES, VECTORS, trap)):
            said = refused(tmp_path, pickle.dumps(content, protocol))
            assert "holds something else (" in said or protocol < 2
    assert not Path(sprung).exists()
    with pytest.raises(FileNotFoundError):  # a trap of this kind does spring where it is unpickled
        pickle.loads(pickle.dumps(Calls(os.rmdir, sprung)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "content",
    [
        (NAMES, np.array([Calls(os.getpid)] * 3, object)),
        (NAMES, np.array([[1, 2]] * 3)),
        (NAMES, np.array([["a"]] * 3)),
        (NAMES, np.zeros((3, 2), [("x", "f4")])),
        (NAMES, np.zeros((3, 2), "M8[s]")),
        (NAMES, VECTORS[0]),
        (NAMES, VECTORS[None]),
        (NAMES, np.float32(3)),
        (NAMES, np.ma.masked_array(VECTORS)),
        (NAMES, VECTORS.tolist()),
        (NAMES, VECTORS, VECTORS),
        (np.array(NAMES), VECTORS),
        ([*NAMES[:2], b"c.jpg"], VECTORS),
        ([*NAMES[:2], None], VECTORS),
        ({"names": NAMES}, VECTORS),
        (OrderedDict.fromkeys(NAMES), VECTORS),
        {"names": NAMES, "vectors": VECTORS},
        (VECTORS, NAMES),
        VECTORS,
        NAMES,
        None,
        1 << 80,
        2.5,
        {1},
    ],
    ids=lambda content: ascii(content)[:40] if isinstance(content, str) else None,
)
def test_anything_else_is_refused(tmp_path: Path, content: object, protocol: int) -> None:
    assert ": holds " in refused(tmp_path, pickle.dumps(content, protocol))


def test_a_tensor_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, pickle.dumps((NAMES, torch.tensor(VECTORS))))
    assert "holds a torch tensor (torch._utils._rebuild_tensor_v2)" in said


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile_\x93.", "numpy.ndarray.tofile_"),
        (b"\x80\x04\x8c\x14numpy._core.multiarr\x8c\x0b_reconstruc\x93.", "_reconstruc"),
        (b"\x80\x04\x8c\x03a\x1b\n\x8c\x01b\x93.", "a\\x1b\\n.b"),
        (b"\x80\x04X\x00\x00\x10\x00" + b"a" * (1 << 20) + b"\x8c\x01b\x93.", "a" * 50),
        (b"\x80\x04K\x01K\x02\x93.", "damaged"),
        (b"cposix\nsystem\n(S'id'\ntR.", "posix.system"),
        (b"(S'id'\niposix\nsystem\n.", "STRING"),
        (b"(iposix\nsystem\n.", "INST"),
        (b"\x80\x02(cnumpy\nndarray\no.", "OBJ"),
        (b"\x80\x02cnumpy\nndarray\n)\x81.", "NEWOBJ"),
        (b"\x80\x04cnumpy\nndarray\n)]\x92.", "NEWOBJ_EX"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "a call"),
        (b"\x80\x02cnumpy\nndarray\nK\x01b.", "array of another kind"),
        (b"\x80\x02cnumpy\nndarray\nNb.", "array of another kind"),
        (b"\x80\x02]cnumpy\nndarray\nNb.", "array of another kind"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00utf_8\x86R.", "a call"),
        (b"Pid\n.", "PERSID"),
        (b"\x80\x02K\x01Q.", "BINPERSID"),
        (b"\x82\x01.", "EXT1"),
        (b"\x83\x01\x01.", "EXT2"),
        (b"\x84\x01\x01\x01\x01.", "EXT4"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x05]\x98.", "READONLY_BUFFER"),
        (b"\x80\x04}.", "EMPTY_DICT"),
        (b"\x80\x04h\x05.", "damaged"),
        (b"\x80\x04a.", "damaged"),
        (b"\x80\x04e.", "damaged"),
        (b"\x80\x04R.", "damaged"),
        (b"\x80\x04N\x87.", "damaged"),
        (b"\x80\x04NN.", "damaged"),
        (b"\x80\x04(N.", "damaged"),
        (b"\x80\x04.", "damaged"),
        (b"", "damaged"),
        (b"\xff\xff", "damaged"),
        (b"hello", "damaged"),
        (WHOLE[4] + b"more", "damaged"),
        (WHOLE[4] + WHOLE[4], "damaged"),
    ],
)
def test_pickles_written_by_hand(tmp_path: Path, data: bytes, what: str) -> None:
    assert what in refused(tmp_path, data)


def test_a_message_does_not_repeat_a_whole_file(tmp_path: Path) -> None:
    refused(tmp_path, b"\x80\x04X\x00\x00\x10\x00" + b"\x00" * (1 << 20) + b"\x8c\x01b\x93.")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_that_is_cut_is_refused_wherever_it_is_cut(tmp_path: Path, protocol: int) -> None:
    for length in range(len(WHOLE[protocol])):
        assert "damaged or cut short" in refused(tmp_path, WHOLE[protocol][:length])


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    protocol=st.sampled_from(PROTOCOLS),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2), st.binary(max_size=6)), max_size=4),
)
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, protocol: int, changes) -> None:
    data = WHOLE[protocol]
    for place, dropped, put in changes:
        data = data[:place] + put + data[place + dropped :]
    try:
        names, vectors = read_pickle(stored(tmp_path, data))
    except ConceptError:
        return
    assert all(type(name) is str for name in names)
    assert vectors.dtype.kind == "f"
    assert vectors.nbytes <= len(data)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.sampled_from([bytes([code]) for code in range(256)] + [b"cnumpy\ndtype\n"])))
def test_steps_at_random_are_read_or_refused(tmp_path: Path, data: list[bytes]) -> None:
    with pytest.raises(ConceptError):
        read_pickle(stored(tmp_path, b"\x80\x04" + b"".join(data)))


# ── what it may cost ────────────────────────────────────────────────────────────────────────────────────────────


def array(shape: bytes, data: bytes) -> bytes:
    """Protocol 2 by hand: names, and an array that claims a shape."""
    return (
        b"\x80\x02]cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
        + shape
        + b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xff"
        + b"J\xff\xff\xff\xffK\x00tb\x89"
        + data
        + b"tb\x86."
    )


HUGE = struct.pack("<q", (1 << 62) + 5)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x8d" + HUGE + b"abc.",  # text
        b"\x80\x04\x8e" + HUGE + b"abc.",  # bytes
        b"\x80\x05\x96" + HUGE + b"abc.",  # bytearray
        b"\x80\x04\x95" + HUGE + b"N.",  # frame
        b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b"1.",  # number
        b"\x80\x02X" + struct.pack("<I", (1 << 32) - 1) + b"abc.",
        b"\x80\x02Nr" + struct.pack("<I", (1 << 32) - 1) + b".",  # memo
        array(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"C\x00"),
        array(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"N"),
        array(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", b"C\x04abcd"),
        array(b"M\x00\x80M\x00\x80\x86", b"C\x04abcd"),
        # the same megabyte of text, encoded a thousand times
        b"\x80\x02X\x00\x00\x10\x00" + b"a" * (1 << 20) + b"q\x000" + b"c_codecs\nencode\nh\x00\x86" * 9,
        b"\x80\x02X\x00\x00\x10\x00"
        + b"a" * (1 << 20)
        + b"q\x00X\x06\x00\x00\x00latin1q\x01"
        + b"c_codecs\nencode\nh\x00h\x01\x86R" * 1000
        + b".",
        # a tuple of a tuple of …, and a doubling one
        b"\x80\x02N" + b"\x85" * 100_000 + b".",
        b"\x80\x02(" + b"(" * 100_000 + b".",
        b"\x80\x02N" + b"q\x00h\x00\x86" * 1000 + b".",
        b"\x80\x02]q\x00h\x00ah\x00\x86.",  # a list in itself
    ],
    ids=str,
)
def test_a_short_file_takes_no_memory(tmp_path: Path, data: bytes) -> None:
    file = stored(tmp_path, data)
    tracemalloc.start()
    try:
        with pytest.raises(ConceptError) as caught:
            read_pickle(file)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 700


def test_the_array_by_hand_is_whole_where_its_shape_is_right(tmp_path: Path) -> None:
    file = stored(tmp_path, array(b"K\x00K\x05\x86", b"C\x00"))
    assert read_pickle(file)[1].shape == (0, 5)


def test_size_and_steps_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.pkl"
    with large.open("wb") as file:
        file.truncate(restricted_pickle.MAX_BYTES + 1)  # sparse
    with pytest.raises(ConceptError, match=r"large\.pkl: is larger than 1,024 MiB"):
        read_pickle(large)
    monkeypatch.setattr(restricted_pickle, "MAX_OPCODES", 1000)
    assert "more than 1,000 steps" in refused(tmp_path, b"\x80\x02" + b"]" * 2000 + b".")
