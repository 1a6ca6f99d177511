"""A process that decodes one file after another, so that a hostile one can harm nothing but it.

Started by `concept_lib.images.decode`. It reads requests from standard input and answers on what was
standard output, both as lines of JSON; pictures go into a memory file that it shares with its parent:
the thumbnail first, the pixels after it. It ends when its input does, that is, with its parent.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import signal
import sys
from typing import Any

from concept_lib.images.files import UnusableError, open_regular, read_chunks, resolve_link
from concept_lib.images.raster import decode, pixel_array, prepare_process, thumbnail_jpeg

_GRACE_S = 1.0  # the parent keeps the time limit; this process ends itself only if nobody does


def main() -> None:
    """Serve requests until the parent closes the pipe; ``argv[2]`` holds the limits."""
    limits: dict[str, Any] = json.loads(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    replies = os.dup(1)
    _limit_resources(limits["memory_bytes"])
    prepare_process(limits["max_pixels"])
    _reply(replies, {"ready": True})
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)  # libraries that print must not garble the replies
    os.dup2(silence, 2)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        _set_alarm(request)
        _serve(request, limits, replies)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_resources(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _set_alarm(request: dict[str, Any]) -> None:
    signal.setitimer(signal.ITIMER_REAL, request["seconds"] + _GRACE_S)


def _reply(replies: int, facts: dict[str, Any]) -> None:
    os.write(replies, json.dumps(facts).encode() + b"\n")


def _serve(request: dict[str, Any], limits: dict[str, Any], replies: int) -> None:
    """Answer twice: with the content's hash, so that it is known whatever follows, then with the rest."""
    try:
        data = _read(os.fsencode(request["path"]), limits)
        _reply(replies, {"image_id": hashlib.sha256(data).hexdigest(), "bytes": len(data)})
        facts = _decode(data, request, limits, replies)
    except UnusableError as error:
        facts = {"status": error.status, "reason": error.reason}
    except MemoryError:
        sys.exit(errno.ENOMEM)  # what is left of the process is suspect
    _reply(replies, facts)


def _read(path: bytes, limits: dict[str, Any]) -> bytes:
    root = limits["root"]
    file, status = open_regular(resolve_link(path, None if root is None else os.fsencode(root)))
    try:
        return b"".join(read_chunks(file, status, limits["max_file_bytes"]))
    finally:
        os.close(file)


def _decode(data: bytes, request: dict[str, Any], limits: dict[str, Any], replies: int) -> dict[str, Any]:
    def await_turn() -> None:
        _reply(replies, {"is_large": True})
        signal.setitimer(signal.ITIMER_REAL, 0)  # waiting is not the file's time
        sys.stdin.buffer.readline()
        _set_alarm(request)

    thumbnail: bool = request["thumbnail"]
    pixel_size: int | None = request["pixel_size"]
    picture = decode(
        data,
        max_pixels=limits["max_pixels"],
        thumbnail=thumbnail,
        pixel_size=pixel_size,
        await_turn=await_turn,
    )
    facts: dict[str, Any] = {"format": picture.format, "width": picture.width, "height": picture.height}
    memory: int = limits["memory_file"]
    offset = 0
    if thumbnail:
        jpeg = thumbnail_jpeg(picture)
        offset = os.pwrite(memory, jpeg, 0)
        facts["thumbnail"] = len(jpeg)
    if pixel_size is not None:
        pixels = pixel_array(picture, pixel_size)
        os.pwrite(memory, pixels.tobytes(), offset)
        facts["pixels"] = pixels.shape[:2]
    return facts | {"status": "usable", "reason": None}
