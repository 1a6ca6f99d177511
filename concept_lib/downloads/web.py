"""What a web server sends of a file: from some byte on, in time, or a plain reason why not."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, responses

from concept_lib.errors import ConceptError

_CHUNK = 1 << 18
_BUSY = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may do better later
_NOT_THERE = 416  # the server's file ends before the piece that was asked for
_PARTIAL = 206


class LostError(Exception):
    """Why a try ended before the file did."""


class OtherFileError(LostError):
    """The server's file is not the one that a part is the beginning of."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a part is the beginning of."""

    url: str
    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    @property
    def validator(self) -> str | None:
        """What the server can tell by whether its file is still the same one."""
        strong = self.etag is not None and not self.etag.startswith("W/")
        return self.etag if strong else self.modified


def ask(url: str, have: int, validator: str | None, silence_s: float) -> HTTPResponse:
    """Ask for a file from some byte on, if it is still the same."""
    headers = {"User-Agent": "concept-atlas"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        response: HTTPResponse = _opener().open(request, timeout=silence_s)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answers {error.code} {responses.get(error.code, '')}".rstrip()
        if error.code == _NOT_THERE:
            raise OtherFileError(answer) from error
        if error.code not in _BUSY:
            raise ConceptError(f"{url}: {answer}; give the address of a mirror with --url") from error
        raise LostError(answer) from error
    except (OSError, HTTPException) as error:
        raise LostError(_reason(error, silence_s)) from error
    return response


def _opener() -> urllib.request.OpenerDirector:
    """Knows HTTP alone, so that no redirection leads to a file of this machine or to FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def piece(response: HTTPResponse, have: int, known: Source) -> tuple[int, int | None]:
    """Where an answer begins in the file, and the size of the whole file if it is told."""
    if response.status != _PARTIAL:
        length = response.headers["Content-Length"] or ""
        return 0, int(length) if length.isdecimal() else None
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers["Content-Range"] or "")
    etag = response.headers["ETag"]
    same = told and (known.size, known.etag) == (int(told[2]), etag or known.etag)
    if not told or not same or int(told[1]) != have:
        response.close()
        raise OtherFileError("the server sent another piece than it was asked for")
    return have, int(told[2])


def read_some(response: HTTPResponse, missing: int | None, silence_s: float) -> bytes:
    """What has come meanwhile; nothing at the end."""
    try:
        return response.read1(_CHUNK if missing is None else min(_CHUNK, missing))
    except (OSError, HTTPException, ValueError) as error:
        raise LostError(_reason(error, silence_s)) from error


def _reason(error: Exception, silence_s: float) -> str:
    """What broke a connection, in a line."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer for {silence_s:g} s"
    said = cause if isinstance(cause, str) else getattr(cause, "strerror", None) or type(cause).__name__
    return f"the connection failed: {said}"
