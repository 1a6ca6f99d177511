"""Fixtures that every test may use."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("calm", deadline=None)  # a busy machine is no failure
settings.load_profile("calm")


@pytest.fixture(scope="session", autouse=True)
def own_machine_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models that tests convert go to a folder of this session, also in the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCEPT_CACHE", str(tmp_path_factory.mktemp("machine_cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Test data that lies beside the checkout; tests skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("test data is absent: no folder ../shared beside the checkout")
    return folder


class Site:
    """A small web server of one file a path, that fails as it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {"ETag": '"1"'}
        self.takes_ranges = True
        self.minds_if_range = True
        self.is_chunked = False
        self.cuts: list[int] = []  # bytes of the body after which each answer breaks off
        self.hangs = False  # instead of breaking off
        self.status: list[int] = []  # what is answered instead
        self.asked: list[tuple[str, str | None]] = []  # path, and the range
        self.goes_on = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def piece(self, request: BaseHTTPRequestHandler) -> tuple[int, int]:
        """Status, and where the answer begins."""
        wanted = request.headers["Range"]
        unchanged = request.headers["If-Range"] in self.headers.values() or not self.minds_if_range
        if not wanted or not self.takes_ranges or not unchanged:
            return 200, 0
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        return (206, start) if start < len(self.files[request.path]) else (416, start)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        site = self.site
        site.asked.append((self.path, self.headers["Range"]))
        data = site.files.get(self.path, b"")
        status, start = site.piece(self) if self.path in site.files else (404, 0)
        status = site.status.pop(0) if site.status else status
        if site.is_chunked:
            self.protocol_version = "HTTP/1.1"
        self.send_response(status)
        for name, value in site.headers.items():
            self.send_header(name, value)
        body = data[start:] if status in (200, 206) else b""
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if site.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.send_body(body, site.cuts.pop(0) if site.cuts else None)
        self.close_connection = True

    def send_body(self, body: bytes, cut: int | None) -> None:
        sent = body[:cut]
        with contextlib.suppress(ConnectionError):  # who asked may be gone
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent) if self.site.is_chunked and sent else sent)
            self.wfile.flush()
            if cut is not None and self.site.hangs:
                self.site.goes_on.wait(60)
            elif cut is None and self.site.is_chunked:
                self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A web server on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.goes_on.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()
