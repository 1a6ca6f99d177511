"""One worker process as its parent sees it: started, asked, timed, and replaced when it is lost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from concept_lib.errors import ConceptError

# The worker imports from where its parent does, but neither the folder it starts in nor any __main__.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from concept_lib.images.decode_worker import main; main()"
)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_START_S = 60.0  # a cold disk may need long to import NumPy; this is not the file's time
_MAX_REPLY = 1 << 16

Facts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for every file; see `concept_lib.images.decode.DecodePool`."""

    timeout_s: float
    max_pixels: int
    max_file_bytes: int
    memory_bytes: int
    root: str | None


class _LostError(Exception):
    """The process is of no more use; `blames_file` when the file before it cannot be the cause."""

    def __init__(self, reason: str, *, blames_file: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.blames_file = blames_file


class DecodeProcess:
    """A worker process with the memory that it shares, started on demand; used by one thread at a time."""

    def __init__(self, limits: Limits, large: threading.Lock) -> None:
        self._limits = limits
        self._large = large  # held while a large picture is decoded: all processes have one turn
        self._memory = _memory_file()
        self._process: subprocess.Popen[bytes] | None = None
        self._n_decoded = 0
        self._unread = b""
        self._closed = False
        self._lock = threading.Lock()  # between close() and a start

    def decode(self, path: bytes, *, thumbnail: bool, pixel_size: int | None) -> Facts:
        """Decode one file: the fields of `Decoded`, where known.

        No file answers for those before it: one that a used process is lost over is tried in a new one.

        Raises
        ------
        ConceptError
            The process does not start.
        """
        request = {
            "path": os.fsdecode(path),
            "thumbnail": thumbnail,
            "pixel_size": pixel_size,
            "seconds": self._limits.timeout_s,
        }
        while True:
            if self._process is None:
                self._start()
            is_new = self._n_decoded == 0
            self._n_decoded += 1
            facts: Facts = {}
            try:
                self._ask(request, facts)
            except _LostError as lost:
                self._end()
                if is_new or lost.blames_file:
                    return facts | {"status": "failed", "reason": lost.reason, "lasting": False}
            else:
                return facts | self._output(facts)

    def close(self) -> None:
        """End the process at once, for good."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def release(self) -> None:
        """Give back what is left after `close`, once no thread uses this any more."""
        self._end()
        os.close(self._memory)

    def _start(self) -> None:
        """Start the process and wait until it is ready."""
        os.ftruncate(self._memory, 0)
        os.lseek(self._memory, 0, os.SEEK_SET)
        limits = json.dumps(asdict(self._limits) | {"memory_file": self._memory})
        with self._lock:
            if self._closed:
                raise ConceptError("the decoding pool is closed")
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [
                    sys.executable,
                    "-P",
                    "-c",
                    _PROGRAM,
                    json.dumps([str(entry) for entry in sys.path]),
                    limits,
                ],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._memory,
                pass_fds=(self._memory,),
                env=os.environ | _ONE_THREAD,
            )
        self._n_decoded = 0
        try:
            self._read_reply(time.monotonic() + _START_S)
        except _LostError as lost:
            self._end()
            complaint = os.pread(self._memory, _MAX_REPLY, 0).decode(errors="replace").split("\n")
            reason = next((line for line in reversed(complaint) if line.strip()), lost.reason)
            raise ConceptError(f"the process that decodes pictures does not start: {reason}") from None

    def _ask(self, request: Facts, facts: Facts) -> None:
        """Send a request; gather the answers in `facts` as they come, the last one has a status."""
        deadline = time.monotonic() + self._limits.timeout_s
        self._send(request)
        with contextlib.ExitStack() as turn:
            while "status" not in facts:
                facts |= self._read_reply(deadline)
                if facts.pop("is_large", False):
                    began = time.monotonic()
                    turn.enter_context(self._large)
                    deadline += time.monotonic() - began
                    self._send({})

    def _send(self, message: Facts) -> None:
        requests: int = self._running().stdin.fileno()  # type: ignore[union-attr]
        try:
            os.write(requests, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise _LostError(self._cause_of_death()) from None

    def _read_reply(self, deadline: float) -> Facts:
        """One line of JSON from the process, which may write it in pieces."""
        replies: int = self._running().stdout.fileno()  # type: ignore[union-attr]
        poll = select.poll()
        poll.register(replies, select.POLLIN)
        while b"\n" not in self._unread:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not poll.poll(left_s * 1000):
                raise _LostError(self._too_slow(), blames_file=True)
            piece = os.read(replies, _MAX_REPLY)
            if not piece:
                raise _LostError(self._cause_of_death())
            self._unread += piece
        line, self._unread = self._unread.split(b"\n", 1)
        try:
            facts: Facts = json.loads(line)
        except ValueError:
            raise _LostError("decoder died (garbled reply)") from None
        return facts

    def _output(self, facts: Facts) -> Facts:
        """Copy the pictures out of the shared memory."""
        found: Facts = {}
        offset = 0
        if "thumbnail" in facts:
            found["thumbnail"] = os.pread(self._memory, facts["thumbnail"], 0)
            offset = facts["thumbnail"]
        if "pixels" in facts:
            found["pixels"] = np.empty((*facts["pixels"], 3), np.uint8)
            os.preadv(self._memory, [found["pixels"]], offset)
        return found

    def _cause_of_death(self) -> str:
        code = self._running().wait()
        if code == errno.ENOMEM:
            return "needs too much memory"
        if code == -signal.SIGALRM:
            return self._too_slow()
        return f"decoder died ({f'signal {-code}' if code < 0 else f'exit status {code}'})"

    def _too_slow(self) -> str:
        return f"took over {self._limits.timeout_s:g} s"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("no process")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        self._unread = b""
        if process is not None:
            process.kill()
            with process:  # closes the pipes and waits
                pass


def _memory_file() -> int:
    """Memory that parent and worker share as a file without a name: nothing is left of it, come what may."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("concept-decode")
    with tempfile.TemporaryFile() as file:  # macOS: a file that is unlinked already
        return os.dup(file.fileno())
