"""Decoding in processes of its own: a broken or hostile file costs itself, and nothing else.

`DecodePool` hands files to a few worker processes (`concept_lib.images.decode_worker`) that hold Pillow
and NumPy and little else. They are started afresh, not forked, so neither the parent's ``__main__`` nor
its locks and threads reach them; requests and replies are lines of JSON, never pickles.
"""

from __future__ import annotations

import builtins
import os
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from concept_lib.images.decode_process import DecodeProcess, Limits

_MAX_WORKERS = 8
_MAX_PATH = 1 << 14  # bytes; more could fill the pipe, and no system opens as much
_READY_AHEAD = 64  # decoded pictures that may wait for the consumer


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one file.

    Attributes
    ----------
    path
        As it was given.
    image_id
        SHA-256 of the bytes that were decoded, hex; None when the file could not be read.
    status
        ``'usable'``, ``'failed'`` or ``'skipped'`` (left out on purpose, such as over a limit).
    reason
        One printable line; None exactly when usable.
    bytes
        Size of the file as it was read.
    format
        ``'JPEG'``, ``'PNG'``, ``'WEBP'``, ``'GIF'``, ``'BMP'``, ``'TIFF'`` or ``'AVIF'`` when usable.
    width, height
        Pixels, as the picture is looked at (after EXIF orientation), when usable.
    thumbnail
        JPEG of at most 256 pixels a side, where asked for.
    pixels
        uint8 of shape (height, width, 3), where asked for.
    lasting
        False for a failure that another try may mend: a limit of time, or a lost process.
    """

    path: builtins.bytes
    status: str
    reason: str | None
    image_id: str | None = None
    bytes: int | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    thumbnail: builtins.bytes | None = None
    pixels: NDArray[np.uint8] | None = None
    lasting: bool = True


class DecodePool:
    """Worker processes that decode pictures under limits of time, memory, file size and pixels.

    A worker that hangs or dies is replaced and its file gets a reason; so no file depends on those
    before it, it is tried once more in a new process where the first was not new. Pictures of over 16
    million pixels are decoded one at a time. Processes start with the first file and end with the pool,
    or with the program.

    Parameters
    ----------
    workers
        Number of processes; by default one a core that this process may use, at most 8.
    timeout_s
        Seconds that one file may take.
    max_pixels
        Limit on width x height, judged before decoding. 50 million take about 200 MB.
    max_file_bytes
        Limit on the size of a file.
    memory_bytes
        Address space of a worker, its libraries (about 120 MB) included; where the system has no such
        limit (macOS), only the other limits hold.
    root
        Folder inside which links are followed. Without it, a file that is a link is refused.

    Examples
    --------
    >>> with DecodePool(workers=1, max_file_bytes=1_000_000) as pool:
    ...     [missing] = pool.map([b"/no/such/file.jpg"], thumbnail=True, pixel_size=None)
    >>> missing.status, missing.reason
    ('failed', 'cannot be read: No such file or directory')
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        timeout_s: float = 10.0,
        max_pixels: int = 50_000_000,
        max_file_bytes: int,
        memory_bytes: int = 1 << 30,
        root: Path | None = None,
    ) -> None:
        self.workers = workers or min(_n_cores(), _MAX_WORKERS)
        real_root = None if root is None else os.path.realpath(root)
        limits = Limits(timeout_s, max_pixels, max_file_bytes, memory_bytes, real_root)
        large = threading.Lock()
        self._processes = [DecodeProcess(limits, large) for _ in range(self.workers)]
        self._idle: queue.LifoQueue[DecodeProcess] = queue.LifoQueue()
        for process in self._processes:
            self._idle.put(process)
        # A thread a process: it waits for the reply, and decoding goes on while the consumer computes.
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="decode")

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers at once, whatever they are at."""
        for process in self._processes:
            process.close()
        self._threads.shutdown(cancel_futures=True)
        while self._processes:
            self._processes.pop().release()

    def map(self, paths: Iterable[bytes], *, thumbnail: bool, pixel_size: int | None) -> Iterator[Decoded]:
        """Decode files; results come in the order of the paths, decoded somewhat ahead of their use.

        Parameters
        ----------
        paths
            Absolute paths; taken as workers become free.
        thumbnail
            Whether to make thumbnails.
        pixel_size
            Side in pixels to which the shorter side is scaled, for an encoder; None for no pixels.

        Raises
        ------
        ConceptError
            Worker processes do not start.
        """
        ahead: deque[Future[Decoded]] = deque()
        most = _READY_AHEAD + self.workers
        try:
            for path in paths:
                ahead.append(self._threads.submit(self._decode, path, thumbnail, pixel_size))
                if len(ahead) == most:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def _decode(self, path: bytes, thumbnail: bool, pixel_size: int | None) -> Decoded:
        absolute = os.path.join(os.getcwdb(), path)  # noqa: PTH109, PTH118 - bytes
        if len(absolute) > _MAX_PATH or b"\0" in absolute:
            return Decoded(path, "failed", "cannot be read: no such path is possible")
        process = self._idle.get()
        try:
            facts = process.decode(absolute, thumbnail=thumbnail, pixel_size=pixel_size)
        finally:
            self._idle.put(process)
        return Decoded(path=path, **facts)


def _n_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
