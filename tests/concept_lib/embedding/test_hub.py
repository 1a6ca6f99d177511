"""Finding and fetching hub models, against a hub of our own on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "sentence-transformers/tiny"
OTHER_FORMS = {
    "0_CLIPModel/model.onnx": b"onnx",
    "0_CLIPModel/openvino_model.bin": b"openvino",
    "README.md": b"# x",
}


class Hub(BaseHTTPRequestHandler):
    """The few answers that a download of one repository needs."""

    files: dict[str, bytes]
    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        path = self.path.partition("?")[0]
        api = f"/api/models/{REPOSITORY}"
        if path in {f"{api}/revision/main", f"{api}/revision/{COMMIT}", api}:
            siblings = [{"rfilename": name} for name in self.files]
            self.answer(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode())
        elif path == f"{api}/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.files.items()
            ]
            self.answer(json.dumps(tree).encode())
        elif path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
            self.answer(self.files[path.partition(f"{COMMIT}/")[2]])
        else:
            code = "RevisionNotFound" if path.startswith(api) else "RepoNotFound"
            self.answer(b"", 404, {"X-Error-Code": code})

    do_HEAD = do_GET

    def answer(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        more = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT, **(headers or {})}
        for name, value in {**more, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(old_clip: Path) -> Iterator[tuple[str, type[Hub]]]:
    """Address of a hub that has one model, and its handler."""
    inside = {
        path.relative_to(old_clip).as_posix(): path.read_bytes()
        for path in old_clip.rglob("*")
        if path.is_file()
    }
    handler = type("OneHub", (Hub,), {"files": inside | OTHER_FORMS, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def locate(
    cache: Path, endpoint: str, model: str, revision: str | None = None, **environment: str
) -> list[str]:
    """What `locate` finds: origin, folder, files and fingerprint; or the message of its error."""
    script = (
        "import sys\n"
        "from concept_lib.embedding import hub, model_files\n"
        "from concept_lib.errors import ConceptError\n"
        "hub.TIMEOUT_S = 1\n"
        "try:\n"
        "    found = model_files.locate(sys.argv[1], sys.argv[2] or None)\n"
        "except ConceptError as error:\n"
        "    sys.exit(print(error))\n"
        "print(found.origin, found.folder, sep='\\n')\n"
        "print(*sorted(p.relative_to(found.folder).as_posix() for p in found.folder.rglob('*') if p.is_file()))\n"
        "print(model_files.model_fingerprint(sys.argv[1], sys.argv[2] or None))\n"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, model, revision or ""],
        env={**kept, "HF_HOME": str(cache), "HF_ENDPOINT": endpoint, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stderr == ""
    return told.stdout.splitlines()


UNREACHABLE = "http://127.0.0.1:9"  # the port of the discard service: nothing answers


def test_a_model_is_fetched_once(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    endpoint, handler = hub
    origin, folder, files, fingerprint = locate(tmp_path, endpoint, "tiny")
    assert origin == f"{REPOSITORY}@{COMMIT}"
    assert set(files.split()) == {*handler.files} - {
        "0_CLIPModel/model.onnx",
        "0_CLIPModel/openvino_model.bin",
    }
    handler.requests.clear()
    assert locate(tmp_path, endpoint, REPOSITORY) == [origin, folder, files, fingerprint]
    assert handler.requests == []
    assert locate(tmp_path, UNREACHABLE, "tiny") == [origin, folder, files, fingerprint]
    assert locate(tmp_path, UNREACHABLE, "tiny", COMMIT, HF_HUB_OFFLINE="1")[3] == fingerprint


def test_weights_are_fetched_in_one_form(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    endpoint, handler = hub
    handler.files["0_CLIPModel/model.safetensors"] = b"weights"
    found = locate(tmp_path, endpoint, "tiny")
    assert "0_CLIPModel/model.safetensors" in found[2].split()
    assert "0_CLIPModel/pytorch_model.bin" not in found[2].split()
    assert locate(tmp_path, UNREACHABLE, "tiny") == found


def test_a_download_that_was_cut_off_goes_on(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    endpoint, _ = hub
    found = locate(tmp_path, endpoint, "tiny")
    (Path(found[1]) / "0_CLIPModel" / "pytorch_model.bin").unlink()
    assert "hub cannot be reached" in locate(tmp_path, UNREACHABLE, "tiny")[0]
    assert locate(tmp_path, endpoint, "tiny") == found


def test_a_revision_is_passed_on(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    endpoint, _ = hub
    assert locate(tmp_path, endpoint, "tiny", COMMIT)[0] == f"{REPOSITORY}@{COMMIT}"
    message = locate(tmp_path, endpoint, "tiny", "v9")
    assert message == [f"the hub has no model {REPOSITORY} at revision v9, or does not show it to you"]


def test_a_model_that_is_not_there(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    endpoint, _ = hub
    assert locate(tmp_path, endpoint, "nobody/nothing") == [
        "the hub has no model nobody/nothing, or does not show it to you"
    ]
    assert "nor a name that a model can have" in locate(tmp_path, endpoint, "two words")[0]


REMEDY = (
    f"model {REPOSITORY} is not on this machine and the hub cannot be reached: connect once so that it is fetched, "
    "give the folder of a model, or take the built-in one with --model demo"
)


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_out_of_reach_is_one_line_with_a_remedy(tmp_path: Path, environment: dict[str, str]) -> None:
    assert locate(tmp_path, UNREACHABLE, "tiny", **environment) == [REMEDY]


def test_a_hub_that_never_answers_is_out_of_reach(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert locate(tmp_path, endpoint, "tiny") == [REMEDY]
