"""`concept download` as a user types it, against a web server on this machine."""

from __future__ import annotations

import io
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

PHOTOS, VECTORS = "unsplash-25k-photos.zip", "unsplash-25k-photos-embeddings.pkl"


def start(site: Any, *arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "concept_assets.cli", "download", *map(str, arguments)]
    return subprocess.Popen(
        [*command, "--url", f"{site.url}/datasets/"],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def put_archive(site: Any, names: list[str]) -> dict[str, bytes]:
    pictures = {name: random.Random(name).randbytes(20_000) for name in names}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in pictures.items():
            archive.writestr(name, data)
    site.files[f"/datasets/{PHOTOS}"] = buffer.getvalue()
    return pictures


def test_photos_then_vectors(site: Any, tmp_path: Path) -> None:
    pictures = put_archive(site, ["a.jpg", "b.jpg", "c.jpg"])
    code, out, err = ended(start(site, "unsplash-25k", cwd=tmp_path))
    assert code == 0, err
    assert out.splitlines() == [
        "3 pictures in data/unsplash-25k/photos",
        "next: concept refresh --images data/unsplash-25k/photos",
    ]
    assert err.splitlines() == ["downloading (MB): done", "unpacking the pictures: 3"]
    folder = tmp_path / "data" / "unsplash-25k"
    assert {path.name: path.read_bytes() for path in (folder / "photos").iterdir()} == pictures

    site.files[f"/datasets/{VECTORS}"] = pickle.dumps((sorted(pictures), np.eye(3, 512, dtype=np.float32)))
    code, out, err = ended(start(site, "unsplash-25k", "--embeddings", cwd=tmp_path))
    assert code == 0, err
    digest = re.fullmatch(
        rf"vectors in data/unsplash-25k/{VECTORS}, SHA-256 ([0-9a-f]{{64}})", out.splitlines()[0]
    )
    assert digest
    subprocess.run(["sha256sum", "--check", "--status", f"{VECTORS}.sha256"], cwd=folder, check=True)
    assert out.splitlines()[1] == (
        f"next: concept refresh --images data/unsplash-25k/photos --embeddings data/unsplash-25k/{VECTORS}"
    )
    code, out, err = ended(start(site, "unsplash-25k", cwd=tmp_path))
    assert (code, err.splitlines()[0]) == (0, "downloading (MB): unchanged")
    assert len(site.asked) == 2


def test_vectors_into_a_folder_with_a_space(site: Any, tmp_path: Path) -> None:
    site.files[f"/datasets/{VECTORS}"] = b"anything"
    code, out, err = ended(start(site, "unsplash-25k", "--embeddings", "--dir", "my photos", cwd=tmp_path))
    assert code == 0, err
    assert out.splitlines()[1:] == [
        "the photos come with: concept download unsplash-25k --dir 'my photos'",
        f"next: concept refresh --images 'my photos/photos' --embeddings 'my photos/{VECTORS}'",
    ]


def test_an_interrupted_download_goes_on(site: Any, tmp_path: Path) -> None:
    pictures = put_archive(site, [f"{n}.jpg" for n in range(20)])
    site.cuts, site.hangs = [150_000], True
    process = start(site, "unsplash-25k", "--dir", "d", cwd=tmp_path)
    part = tmp_path / "d" / f"{PHOTOS}.part"
    while not (part.is_file() and part.stat().st_size):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted: what came is kept, and the same command goes on from there"
    kept = part.stat().st_size
    code, _, err = ended(start(site, "unsplash-25k", "--dir", "d", cwd=tmp_path))
    assert code == 0, err
    assert [wanted for _, wanted in site.asked] == [None, f"bytes={kept}-"]
    photos = tmp_path / "d" / "photos"
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == pictures


def test_what_is_wrong_is_one_line(site: Any, tmp_path: Path) -> None:
    for arguments, message in (
        (["cats"], "error: no collection cats; there is: unsplash-25k"),
        (["unsplash-25k"], "404 Not Found; give the address of a mirror with --url"),
    ):
        code, out, err = ended(start(site, *arguments, cwd=tmp_path))
        assert (code, out) == (1, "")
        assert message in err.splitlines()[-1]
        assert "Traceback" not in err
    shutil.rmtree(tmp_path / "data")
    put_archive(site, ["a.jpg", "../evil.jpg"])
    code, out, err = ended(start(site, "unsplash-25k", cwd=tmp_path))
    assert (code, out) == (1, "")
    assert "'../evil.jpg' would land outside the folder" in err.splitlines()[-1]
    assert not list(tmp_path.rglob("*.jpg"))
