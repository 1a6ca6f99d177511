"""A pickle of names and an array, read without unpickling: nothing in it is imported or called.

A small interpreter of its own follows the opcodes. To it NumPy's functions are mere tokens, and the array is made
at the end, from its bytes, once all of it is checked. So what a file can cost is bounded by its size and by the
number of its opcodes.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import numpy as np

from concept_lib.errors import ConceptError

MAX_BYTES = 1 << 30  # half a million float32 vectors of 512
MAX_OPCODES = 5_000_000  # two or three a name; each may cost about a hundred bytes

_TAKEN = (
    "of a pickle, only a list of names and an array of floating-point numbers, shape (n, dim), are read (protocol 2 "
    "or newer), since a pickle may run code; where you trust it, unpickle it yourself and convert it with "
    "numpy.savez('vectors.npz', names=numpy.array(names, dtype=str), vectors=numpy.asarray(vectors))"
)
_SHOWN = 80  # characters of what a file calls by name


class _Token(Enum):
    """What a pickle of an array refers to."""

    NDARRAY = auto()
    DTYPE = auto()
    RECONSTRUCT = auto()
    FROMBUFFER = auto()
    ENCODE = auto()  # protocol 2 writes bytes as text


_TOKENS = {
    "numpy ndarray": _Token.NDARRAY,
    "numpy dtype": _Token.DTYPE,
    "numpy.core.multiarray _reconstruct": _Token.RECONSTRUCT,  # before NumPy 2
    "numpy._core.multiarray _reconstruct": _Token.RECONSTRUCT,
    "numpy.core.numeric _frombuffer": _Token.FROMBUFFER,
    "numpy._core.numeric _frombuffer": _Token.FROMBUFFER,
    "_codecs encode": _Token.ENCODE,
}


class _RefusedError(Exception):
    """What the file holds that is not taken."""


@dataclass(slots=True)
class _Dtype:
    kind: str
    order: str = "="


@dataclass(slots=True)
class _Latin1:
    text: str  # encoded at the end, once: else a short file could ask for many copies


@dataclass(slots=True)
class _Array:
    """An array as it is described, unchecked."""

    shape: object = None
    dtype: object = None
    fortran: object = False
    data: object = None


def read_pickle(file: Path) -> tuple[list[str], np.ndarray]:
    """Read names and vectors from a pickled pair, such as sbert.net's file of the Unsplash photos.

    Parameters
    ----------
    file
        A pickled tuple or list of a list of names and a NumPy array.

    Returns
    -------
    names
        As they are stored.
    vectors
        float16, float32 or float64, shape (n, dim), read-only.

    Raises
    ------
    ConceptError
        When the file is damaged, too large, or holds anything else; nothing of it has run then.

    Examples
    --------
    >>> import pickle, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "vectors.pkl"
    >>> _ = file.write_bytes(pickle.dumps((["cup.jpg", "cat.jpg"], np.eye(2))))
    >>> names, vectors = read_pickle(file)
    >>> names, vectors.tolist()
    (['cup.jpg', 'cat.jpg'], [[1.0, 0.0], [0.0, 1.0]])
    """
    if file.stat().st_size > MAX_BYTES:
        raise ConceptError(f"{file}: is larger than {MAX_BYTES >> 20:,} MiB; {_TAKEN}")
    try:
        return _pair(_interpret(file.read_bytes()))
    except _RefusedError as error:
        raise ConceptError(f"{file}: holds {error}; {_TAKEN}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise ConceptError(f"{file}: is damaged or cut short: fetch it anew; {_TAKEN}") from error


def _interpret(data: bytes) -> object:
    """What the pickle describes, of plain values and the classes of this module."""
    machine = _Machine()
    end = 0
    # From memory, a length that the file does not have costs nothing.
    for count, (opcode, argument, position) in enumerate(pickletools.genops(io.BytesIO(data))):
        if count >= MAX_OPCODES:
            raise _RefusedError(f"more than {MAX_OPCODES:,} steps")
        if opcode.name not in _ACTIONS:
            raise _RefusedError(f"the step {opcode.name}")
        _ACTIONS[opcode.name](machine, argument)
        end = (position or 0) + 1
    if end != len(data) or len(machine.stack) != 1 or machine.outer:
        raise ValueError("more than one object")
    return machine.stack[0]


class _Machine:
    """The stack of a pickle, its marks and its memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below the marks
        self.memo: dict[int, Any] = {}

    def push(self, value: object) -> None:
        self.stack.append(value)

    def mark(self, _: object) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.outer.pop()
        return values

    def append(self, _: object) -> None:
        value = self.stack.pop()
        self._top_list().append(value)

    def appends(self, _: object) -> None:
        values = self.since_mark()
        self._top_list().extend(values)

    def _top_list(self) -> list[Any]:
        if not isinstance(self.stack[-1], list):
            raise TypeError("not a list")
        return self.stack[-1]

    def tuple_of(self, n: int) -> None:
        values = tuple(self.stack.pop() for _ in range(n))
        self.push(values[::-1])

    def put(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def refer(self, name: str) -> None:
        if name not in _TOKENS:
            kind = "a torch tensor" if name.startswith("torch") else "something else"
            raise _RefusedError(f"{kind} ({ascii(name[:_SHOWN].replace(' ', '.'))[1:-1][:_SHOWN]})")
        self.push(_TOKENS[name])

    def refer_by_text(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("not a name")
        self.refer(f"{module} {name}")

    def reduce(self, _: object) -> None:
        """Make the description of what NumPy would make."""
        arguments, made = self.stack.pop(), self.stack.pop()
        match made, arguments:
            case _Token.RECONSTRUCT, (_Token.NDARRAY, tuple(), _):
                self.push(_Array())
            case _Token.FROMBUFFER, (data, dtype, shape, "C" | "F" as order):
                self.push(_Array(shape, dtype, order == "F", data))
            case _Token.DTYPE, (str(kind), *_):
                self.push(_Dtype(kind))
            case _Token.ENCODE, (str(text), "latin1"):
                self.push(_Latin1(text))
            case _:
                raise _RefusedError("a call that makes no array")

    def build(self, _: object) -> None:
        """Fill a description."""
        match self.stack[-2], self.stack.pop():
            case _Array() as array, (int(), shape, dtype, fortran, data):
                array.shape, array.dtype, array.fortran, array.data = shape, dtype, fortran, data
            case _Dtype() as dtype, (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                dtype.order = order
            case _:
                raise _RefusedError("an array of another kind")


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _machine, _: None),
    **dict.fromkeys(
        (
            *("BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
            *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        ),
        _Machine.push,
    ),
    "NONE": _Machine.push,
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "MARK": _Machine.mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    **dict.fromkeys(("MEMOIZE", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, index: machine.push(machine.memo[index])),
    "GLOBAL": _Machine.refer,
    "STACK_GLOBAL": _Machine.refer_by_text,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}


def _pair(content: object) -> tuple[list[str], np.ndarray]:
    """Names and vectors of what the pickle describes."""
    match content:
        case (tuple() | list()) as names, _Array() as array if all(isinstance(name, str) for name in names):
            return list(names), _matrix(array)
        case _:
            raise _RefusedError("something else than names and an array")


def _matrix(described: _Array) -> np.ndarray:
    """The array, if its bytes are exactly what its shape needs."""
    dtype, data = described.dtype, described.data
    if not isinstance(dtype, _Dtype) or dtype.kind not in {"f2", "f4", "f8"}:
        raise _RefusedError("an array of something else than floating-point numbers")
    if isinstance(data, _Latin1):
        data = data.text.encode("latin-1")
    numbers = np.dtype(dtype.order + dtype.kind)
    match described.shape, data:
        case (int(n), int(dim)), bytes() | bytearray() as whole if min(
            n, dim
        ) >= 0 and n * dim * numbers.itemsize == len(whole):
            flat = np.frombuffer(whole, numbers)
            return flat.reshape(n, dim, order="F" if described.fortran else "C")
        case (_, _), _:
            raise ValueError("bytes and shape differ")
        case _:
            raise _RefusedError("an array of another shape than (n, dim)")
