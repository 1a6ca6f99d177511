from __future__ import annotations

import csv
import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import concept_lib
from concept_lib.errors import ConceptError
from concept_lib.images import decode_process
from concept_lib.images.catalog import scan
from concept_lib.images.decode import Decoded, DecodePool
from concept_lib.images.decode_process import DecodeProcess

LIMIT = 200_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# Manifest says that these open; their data is damaged behind the header, which is found on decoding.
DAMAGED_BEHIND_THE_HEADER = {"apng__chunk_no_fctl.png", "broken_data_stream.png", "truncated_end_chunk.png"}

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture
def pool() -> Iterator[DecodePool]:
    with DecodePool(workers=2, max_file_bytes=LIMIT) as pool:
        yield pool


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    return save(tmp_path / "picture.png", Image.linear_gradient("L").resize((60, 40)))


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    """A picture that takes a good part of a second and 100 MB."""
    return save(tmp_path / "large.png", Image.linear_gradient("L").resize((5000, 5000)).convert("RGB"))


def save(file: Path, image: Image.Image) -> bytes:
    image.save(file, compress_level=1)
    return bytes(file)


def one(pool: DecodePool, path: bytes, *, thumbnail: bool = True, pixel_size: int | None = 32) -> Decoded:
    [found] = pool.map([path], thumbnail=thumbnail, pixel_size=pixel_size)
    return found


def check(found: Decoded, pixel_size: int) -> None:
    """What holds for every result."""
    assert found.status in ("usable", "failed", "skipped")
    if found.status == "usable":
        assert found.reason is None
        assert found.format in FORMATS
        assert found.image_id is not None
        assert found.thumbnail is not None
        assert found.pixels is not None
        assert max(Image.open(io.BytesIO(found.thumbnail)).size) <= 256
        assert (found.pixels.dtype, min(found.pixels.shape[:2])) == (np.uint8, pixel_size)
        assert max(found.pixels.shape[:2]) <= 4 * pixel_size
    else:
        assert found.reason is not None
        assert found.reason.isprintable()
        assert len(found.reason) < 160
        assert "0x" not in found.reason
        assert found.thumbnail is None
        assert found.pixels is None


def children(pid: int | str = "self") -> list[int]:
    """Worker processes of a process."""
    parent = os.getpid() if pid == "self" else pid
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"decode_worker" in command and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def n_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_results_come_in_order_and_equal_the_files(pool: DecodePool, tmp_path: Path) -> None:
    paths = []
    for number in range(200):
        size = (300, 200) if number % 20 else (3000, 2000)
        paths.append(save(tmp_path / f"{number}.png", Image.new("RGB", size, (number, 0, 255))))
    for number, found in enumerate(pool.map(iter(paths), thumbnail=True, pixel_size=16)):
        check(found, 16)
        assert found.path == paths[number]
        data = Path(os.fsdecode(found.path)).read_bytes()
        assert (found.image_id, found.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (found.pixels == (number, 0, 255)).all()
    assert number == 199


def test_only_what_is_asked_for_is_made(pool: DecodePool, picture: bytes) -> None:
    bare = one(pool, picture, thumbnail=False, pixel_size=None)
    assert (bare.status, bare.thumbnail, bare.pixels) == ("usable", None, None)
    assert (bare.format, bare.width, bare.height) == ("PNG", 60, 40)
    pixels = one(pool, picture, thumbnail=False, pixel_size=20).pixels
    both = one(pool, picture, thumbnail=True, pixel_size=20)
    assert pixels is not None
    assert both.pixels is not None
    assert (pixels == both.pixels).all()
    assert pixels.shape == (20, 30, 3)


def test_look_ahead_is_bounded(pool: DecodePool, picture: bytes) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield picture

    results = pool.map(endless(), thumbnail=True, pixel_size=None)
    for _ in range(10):
        next(results)
    assert taken < 100
    results.close()
    assert one(pool, picture).status == "usable"


def test_files_that_cannot_be_read(pool: DecodePool, tmp_path: Path, picture: bytes) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "link.png").symlink_to("picture.png")
    found = {
        name: one(pool, os.fsencode(tmp_path / name)).reason
        for name in ("pipe.jpg", "empty.jpg", "link.png", "missing.jpg", "x" * 20_000, "nul\0.jpg", ".")
    }
    assert found == {
        "pipe.jpg": "not a regular file but a named pipe",
        "empty.jpg": "empty file",
        "link.png": "not a regular file but a link",
        "missing.jpg": "cannot be read: No such file or directory",
        "x" * 20_000: "cannot be read: no such path is possible",
        "nul\0.jpg": "cannot be read: no such path is possible",
        ".": "not a regular file but a folder",
    }
    with DecodePool(workers=1, max_file_bytes=50) as small:
        assert one(small, picture).reason == "over the 50 bytes limit"
        assert one(small, picture).status == "skipped"


def test_links_are_followed_inside_the_root_alone(tmp_path: Path, picture: bytes) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    inside = save(folder / "inside.png", Image.new("L", (5, 5)))
    (folder / "alias.png").symlink_to("inside.png")
    (folder / "escape.png").symlink_to(os.fsdecode(picture))
    (tmp_path / "root").symlink_to(folder)
    with DecodePool(workers=1, max_file_bytes=LIMIT, root=tmp_path / "root") as pool:
        assert one(pool, bytes(tmp_path / "root" / "alias.png")).image_id == one(pool, inside).image_id
        escaped = one(pool, bytes(folder / "escape.png"))
        assert (escaped.status, escaped.reason) == ("skipped", "link out of the folder")
        assert escaped.image_id is None


@needs_proc
def test_a_hung_worker_is_replaced(picture: bytes) -> None:
    with DecodePool(workers=1, timeout_s=3, max_file_bytes=LIMIT) as pool:
        assert one(pool, picture).status == "usable"
        [stopped] = children()
        os.kill(stopped, signal.SIGSTOP)
        assert one(pool, picture).reason == "took over 3 s"
        assert not is_running(stopped)
        assert one(pool, picture).status == "usable"


def test_a_slow_file_gets_a_reason(picture: bytes, large: bytes) -> None:
    with DecodePool(workers=1, timeout_s=0.05, max_file_bytes=LIMIT) as pool:
        assert one(pool, large).reason == "took over 0.05 s"
    with DecodePool(workers=1, max_file_bytes=LIMIT) as pool:
        assert one(pool, large).status == "usable"


@needs_proc
def test_killed_workers_cost_no_other_file(pool: DecodePool, picture: bytes) -> None:
    for number, found in enumerate(pool.map([picture] * 300, thumbnail=True, pixel_size=32)):
        check(found, 32)
        assert found.status == "usable"
        if number % 100 == 50:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
    assert number == 299


def test_a_file_that_kills_its_decoder_gets_a_reason(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: list[int] = []
    send = DecodeProcess._send

    def send_and_die(self: DecodeProcess, message: dict[str, object]) -> None:
        assert self._process is not None
        if str(message.get("path")).endswith("deadly.png"):
            deaths.append(self._process.pid)
            self._process.send_signal(signal.SIGSEGV)
            self._process.wait()
        send(self, message)

    monkeypatch.setattr(DecodeProcess, "_send", send_and_die)
    with DecodePool(workers=1, max_file_bytes=LIMIT) as pool:
        names = [picture, b"/deadly.png", picture]
        found = list(pool.map(names, thumbnail=True, pixel_size=None))
    assert [result.reason for result in found] == [None, "decoder died (signal 11)", None]
    assert len(set(deaths)) == 2, "tried again in a new process before the file is blamed"


def test_a_file_that_needs_too_much_memory_gets_a_reason(picture: bytes, large: bytes) -> None:
    with DecodePool(workers=1, max_file_bytes=LIMIT, memory_bytes=180_000_000) as pool:
        found = list(pool.map([picture, large, picture], thumbnail=True, pixel_size=None))
    assert [result.reason for result in found] == [None, "needs too much memory", None]
    assert found[1].image_id == hashlib.sha256(Path(os.fsdecode(large)).read_bytes()).hexdigest()


def test_large_pictures_take_turns(large: bytes, picture: bytes) -> None:
    with DecodePool(workers=2, max_file_bytes=LIMIT) as pool:
        found = list(pool.map([large, large, picture, large], thumbnail=True, pixel_size=32))
    assert [result.status for result in found] == ["usable"] * 4
    assert (found[0].pixels == found[3].pixels).all()  # type: ignore[union-attr]


@needs_proc
def test_closing_ends_the_workers_and_leaves_nothing(large: bytes) -> None:
    open_before = n_open_files()
    pool = DecodePool(workers=2, max_file_bytes=LIMIT)
    results = pool.map([large] * 20, thumbnail=True, pixel_size=None)
    next(results)
    workers = children()
    assert workers
    pool.close()
    pool.close()
    assert not any(is_running(pid) for pid in workers)
    results.close()
    assert n_open_files() == open_before


@needs_proc
def test_workers_end_with_a_parent_that_is_killed(picture: bytes) -> None:
    script = """
        import sys
        from concept_lib.images.decode import DecodePool
        pool = DecodePool(workers=2, max_file_bytes=10**9)
        results = pool.map([sys.argv[1].encode()] * 100, thumbnail=True, pixel_size=None)
        next(results)
        print("started", flush=True)
        sys.stdin.read()
    """
    parent = run_python(script, os.fsdecode(picture))
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    workers = children(parent.pid)
    assert workers
    with parent:
        parent.kill()
    wait_until(lambda: not any(is_running(pid) for pid in workers))


def run_python(script: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(concept_lib.__file__).parents[1])}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment | dict(options)
    )


def test_the_program_that_decodes_is_not_run_again(picture: bytes, tmp_path: Path) -> None:
    script = f"""
        print("once")
        from concept_lib.images.decode import DecodePool
        with DecodePool(workers=2, max_file_bytes=10**9) as pool:
            for found in pool.map([{picture!r}] * 3, thumbnail=True, pixel_size=32):
                print(found.status)
    """
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(script))
    for stdin, command in ((program.read_text(), ["-"]), ("", [str(program)])):
        environment = os.environ | {
            "PYTHONPATH": str(Path(concept_lib.__file__).parents[1]),
            "PYTHONWARNINGS": "error",
        }
        done = subprocess.run(
            [sys.executable, *command],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.stdout.split() == ["once", "usable", "usable", "usable"]
        assert done.stderr == ""


def test_workers_import_pillow_and_numpy_and_little_else() -> None:
    count = "import sys; {}; print(*{{name.split('.')[0] for name in sys.modules}})"
    found = []
    for statement in ("pass", "import concept_lib.images.decode_worker"):
        with run_python(count.format(statement)) as process:
            found.append(set(process.communicate()[0].split()))
    added = found[1] - found[0] - sys.stdlib_module_names
    assert {name for name in added if not name.startswith("_")} == {"PIL", "concept_lib", "numpy"}


def test_a_worker_that_does_not_start_is_an_error(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_process, "_PROGRAM", "raise ImportError('no module named PIL')")
    with (
        DecodePool(workers=1, max_file_bytes=LIMIT) as pool,
        pytest.raises(ConceptError, match="does not start: ImportError: no module named PIL"),
    ):
        one(pool, picture)


def test_hostile_files(shared: Path) -> None:
    with (shared / "hostile" / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (shared / "hostile" / row["file"]).is_file()]
    assert len(rows) > 200
    paths = [os.fsencode(shared / "hostile" / row["file"]) for row in rows]
    with DecodePool(workers=2, max_file_bytes=LIMIT) as pool:
        found = list(pool.map(paths, thumbnail=True, pixel_size=32))
    assert [result.path for result in found] == paths
    for row, result in zip(rows, found, strict=True):
        check(result, 32)
        name = Path(row["file"]).name
        expected = row["pillow13"] == "opens" and name not in DAMAGED_BEHIND_THE_HEADER
        assert (result.status == "usable") == expected, (name, result.reason)
        assert result.image_id == row["sha256"]


@pytest.mark.slow
def test_special_files(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "special"
    maker = shared / "hostile" / "make_special_files.py"
    subprocess.run([sys.executable, maker, folder], check=True, capture_output=True)
    catalog = scan(folder, max_file_bytes=LIMIT)
    names = {entry.name for entry in os.scandir(os.fsencode(folder))} - {b"folder.jpg", b"dirloop"}
    assert {record.path_bytes for record in catalog.files} == names
    usable = [record for record in catalog.files if record.status == "usable"]
    paths = [bytes(folder) + b"/" + record.path_bytes for record in usable]
    with DecodePool(workers=2, max_file_bytes=LIMIT, root=folder) as pool:
        found = list(pool.map(paths, thumbnail=True, pixel_size=32))
    by_name = {record.path_bytes: result for record, result in zip(usable, found, strict=True)}
    for result in found:
        check(result, 32)
    bombs = [result for name, result in by_name.items() if name.startswith(b"bomb_")]
    assert {result.reason for result in bombs} == {"over the 50 megapixel limit"}
    assert [by_name[name].status for name in names if name.startswith(b"trunc_")] == ["failed"] * 6
    assert {by_name[name].status for name in names if name.endswith(b".svg")} == {"failed"}
    turned = by_name[b"exif_rot6.jpg"]
    assert (turned.width, turned.height) == (120, 160)
    assert by_name[b"hardlink.jpg"].image_id == by_name[b"no_extension"].image_id
    white = by_name[b"fully_transparent.png"].pixels
    assert white is not None
    assert (white == 255).all()


def test_memory_of_the_parent_stays_bounded(pool: DecodePool, shared: Path) -> None:
    paths = [bytes(file) for file in sorted((shared / "photos").rglob("*.jpg"))[:100]] * 8
    for _ in pool.map(paths[:100], thumbnail=True, pixel_size=224):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_bytes = sum(
        found.pixels.nbytes
        for found in pool.map(paths, thumbnail=True, pixel_size=224)
        if found.pixels is not None
    )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert n_bytes > 100_000_000
    assert grown < 40_000_000


@pytest.fixture(scope="module")
def fuzz_pool() -> Iterator[DecodePool]:
    with DecodePool(workers=1, max_file_bytes=LIMIT, max_pixels=1_000_000) as pool:
        yield pool


def samples() -> list[bytes]:
    image = Image.linear_gradient("L").resize((33, 21)).convert("RGBA")
    found = []
    for kind in FORMATS:
        buffer = io.BytesIO()
        (image if kind in ("PNG", "WEBP", "TIFF", "AVIF") else image.convert("RGB")).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


@given(
    start=st.sampled_from(samples()),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=6),
    kept=st.floats(0.05, 1),
)
@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_damaged_pictures(
    fuzz_pool: DecodePool, tmp_path: Path, start: bytes, edits: list[tuple[float, bytes]], kept: float
) -> None:
    data = bytearray(start)
    for place, piece in edits:
        at = int(place**2 * len(data))  # headers more than pixels
        data[at : at + len(piece)] = piece
    file = tmp_path / "damaged"
    file.write_bytes(data[: int(kept * len(data))])
    check(one(fuzz_pool, bytes(file), pixel_size=16), 16)
