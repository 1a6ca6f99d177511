"""The published concepts in MLflow's registry: what they answer, which version is champion, what forgetting does."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from concept_assets.oblivion import forget
from concept_assets.registry.logged import CODE
from concept_assets.registry.register import Registered, register
from concept_assets.registry.withdraw import remove_models
from concept_lib import ConceptModel
from concept_lib.database.publish import product_version
from concept_lib.errors import ConceptError
from concept_lib.images.sample import render
from concept_lib.settings import Tracking
from concept_lib.storage import Home

# MLflow says so of its own code, when its pyfunc part is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
KINDS = ("beach", "pizza", "clock", "sunflower")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def client(home: Home):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{home.mlflow_database}")


def versions(home: Home) -> dict[int, dict[str, str]]:
    return {
        int(found.version): found.tags for found in client(home).search_model_versions("name = 'concepts'")
    }


def aliases(home: Home) -> dict[str, str]:
    return client(home).get_registered_model("concepts").aliases


def registered(home: Home) -> Registered:
    return register(home, "concepts", print)


def load(home: Home, which: str = "@champion"):
    import mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home.mlflow_database}")
        return mlflow.pyfunc.load_model(f"models:/concepts{which}")


@pytest.fixture(scope="module")
def known(copy_home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, dict[str, Any]]:
    """A home whose first refresh was registered on the command line, and what that printed. Read it."""
    home = copy_home(tmp_path_factory.mktemp("registry") / "own")
    command = [sys.executable, "-m", "concept_assets.cli", "register", "--json", "--home", str(home.path)]
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("CONCEPT_") or name == "CONCEPT_CACHE"
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return home, json.loads(done.stdout)


@pytest.fixture(scope="module")
def model(known):
    return load(known[0])


@pytest.fixture(scope="module")
def published(known) -> ConceptModel:
    return ConceptModel.from_database(known[0].database, progress=False)


def test_images_and_terms_are_answered_as_by_the_database(known, model, published: ConceptModel) -> None:
    home, _ = known
    photos = sorted((home.path.parent / "photos").rglob("*.jpg"))[::6]
    fresh = [png(render(kind, 77, 128)) for kind in KINDS]
    pictures = [*(path.read_bytes() for path in photos), *fresh]
    answered = model.predict(pd.DataFrame({"image": [encoded(data) for data in pictures]}))
    asked = [Image.open(io.BytesIO(data)) for data in pictures]
    assert [found[0] if found else -1 for found in answered["concepts"]] == published.transform(asked)
    assert answered["problem"].isna().all()
    assert {len(found) for found in answered["concepts"][: len(photos)]} == {1}
    with duckdb.connect(str(home.database), read_only=True) as connection:
        labels = dict(connection.execute("SELECT concept_id, label FROM concepts").fetchall())
        [(vector, centre)] = connection.execute(
            "SELECT e.embedding, c.embedding FROM image_files f JOIN image_embeddings e USING (image_id) "
            "JOIN concept_images m USING (image_id) JOIN concepts c USING (concept_id) WHERE f.path = ?",
            [photos[0].relative_to(home.path.parent / "photos").as_posix()],
        ).fetchall()
    assert [labels[found] for [found] in answered["concepts"][: len(photos)]] == [
        label for [label] in answered["labels"][: len(photos)]
    ]
    assert answered["similarities"][0] == pytest.approx([float(np.dot(vector, centre))], abs=1e-4)

    terms = model.predict(pd.DataFrame({"search_term": list(KINDS)}), params={"top_n": 3})
    for row, kind in zip(terms.itertuples(), KINDS, strict=True):
        expected = published.find_concepts(kind, top_n=3)
        assert row.concepts == [concept for concept, _ in expected]
        assert row.similarities == pytest.approx([cosine for _, cosine in expected], abs=1e-5)
        assert row.labels[0] == kind


def test_no_text_is_taken_for_a_path_and_bad_rows_cost_the_good_ones_nothing(
    model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = png(render("pizza", 5, 128))
    (tmp_path / "beachpic").write_bytes(picture)  # such a name is base64 too
    monkeypatch.chdir(tmp_path)
    bomb = png(Image.new("1", (20_000, 20_000)))
    rows = {
        "beachpic": "not a readable",
        str(tmp_path / "beachpic"): "not base64",
        (tmp_path / "beachpic").as_uri(): "not base64",
        "http://127.0.0.1/beach.jpg": "not base64",
        "../../etc/passwd": "not base64",
        encoded(picture)[:-5]: "not base64",
        encoded(picture[:400]): "no picture to use",
        encoded(b"a text, and no picture"): "not a readable",
        encoded(bomb): "pixel",
        "A" * 80_000_000: "over the 50 MB limit",
        encoded(bytes(50_000_001)): "over the 50 MB limit",
    }
    asked = [{"image": text, "search_term": None} for text in rows]
    good = [{"image": encoded(picture), "search_term": None}, {"image": None, "search_term": "pizza"}]
    both = [{"image": encoded(picture), "search_term": "pizza"}, {"image": None, "search_term": "  "}]
    long = [{"image": None, "search_term": "pizza " * 200}]
    answered = model.predict(pd.DataFrame([good[0], *asked, good[1], *both, *long]))
    told = answered["problem"].tolist()
    assert [told[0], told[len(rows) + 1]] == [None, None]
    assert answered["labels"][0] == ["pizza"]
    assert answered["labels"][len(rows) + 1][0] == "pizza"
    expected = [*rows.values(), None, *["give either an image or a search_term"] * 2, "1,000 characters"]
    for text, wanted, concepts in zip(told[1:], expected, answered["concepts"][1:], strict=True):
        assert (text is None) == (wanted is None)
        assert wanted is None or (wanted in text and concepts == [] and str(tmp_path) not in text), text


def test_lines_of_base64_may_be_broken(model) -> None:
    text = base64.encodebytes(png(render("clock", 5, 128))).decode()
    assert "\n" in text.strip()
    assert model.predict(pd.DataFrame({"image": [text]}))["labels"][0] == ["clock"]


@pytest.mark.parametrize(
    ("table", "params"),
    [
        ({"image": [3]}, None),
        ({"search_term": [1.5]}, None),
        ({"path": ["beach.jpg"]}, None),
        ({"search_term": ["beach"]}, {"top_n": "many"}),
        ({"search_term": ["beach"]}, {"top_n": 0}),
    ],
)
def test_other_types_and_other_columns_are_refused(model, table, params) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"types for column|give a column|top_n"):
        model.predict(pd.DataFrame(table), params=params)


def test_the_model_is_a_code_file_and_data_with_a_signature(known, model) -> None:
    home, said = known
    [folder] = (home.mlflow_artifacts / "models").glob("*/artifacts")
    kept = [
        path for path in folder.rglob("*.*") if path.parent.name != "__pycache__"
    ]  # which loading it may leave
    assert {path.suffix for path in kept} == {
        *(".py", ".yaml", ".txt", ".json"),
        *(".parquet", ".safetensors", ".jpg"),
    }
    assert (folder / "served.py").read_bytes() == CODE.read_bytes()
    assert f"concept-atlas=={product_version()}" in (folder / "requirements.txt").read_text().splitlines()
    signature = model.metadata.signature
    assert [(column.name, column.type.name, column.required) for column in signature.inputs] == [
        ("image", "string", False),
        ("search_term", "string", False),
    ]
    assert signature.outputs.input_names() == ["concepts", "labels", "similarities", "problem"]
    assert [(param.name, param.default) for param in signature.params] == [("top_n", 5)]
    assert model.predict(model.input_example)["labels"][1][0] == "beach"
    assert versions(home) == {
        1: {"refresh_id": "1", "home": str(home.path), "n_images": "48", "n_concepts": "4"}
    }
    assert said["champion"] == said["version"] == said["refresh_id"] == 1
    alone = "import runpy, sys; runpy.run_path(sys.argv[1]); assert 'dagster' not in sys.modules"
    subprocess.run([sys.executable, "-c", alone, str(CODE)], timeout=120, check=True)


def test_a_refresh_is_registered_once(known) -> None:
    home, _ = known
    before = sorted(home.mlflow_artifacts.rglob("*"))
    again = registered(home)
    assert (again.version, again.is_new, again.champion) == (1, False, 1)
    assert sorted(home.mlflow_artifacts.rglob("*")) == before
    with pytest.raises(ConceptError, match="letters, digits"):
        register(home, "it's", print)


@pytest.fixture
def server(known) -> Iterator[str]:
    """Address of a real server, started by the command that was printed."""
    _, said = known
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    bin_folder = Path(sys.executable).parent
    command = said["serve"].replace("--port 5001", f"--port {port}")
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        command,
        shell=True,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/ping", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.5)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def post(url: str, body: dict) -> Any:
    request = urllib.request.Request(
        f"{url}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def test_the_server_answers_pictures_and_search_terms(server: str, published: ConceptModel) -> None:
    picture = render("sunflower", 5, 128)
    rows = [{"image": encoded(png(picture))}, {"search_term": "beach"}, {"image": "/etc/passwd"}]
    image, term, path = post(server, {"dataframe_records": rows, "params": {"top_n": 2}})["predictions"]
    assert (image["concepts"], image["labels"]) == (published.transform(picture), ["sunflower"])
    assert term["concepts"] == [concept for concept, _ in published.find_concepts("beach", top_n=2)]
    assert (image["problem"], term["problem"]) == (None, None)
    assert (path["concepts"], path["problem"]) == ([], "the image is not base64 of a picture file")
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(server, {"dataframe_records": [{"path": "/etc/passwd"}]})
    assert refused.value.code == 400
    refused.value.close()


def test_the_alias_moves_only_where_the_checks_pass(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"images.MAX_FAILED": "few_files_failed", "concepts.MAX_OUTLIERS": "few_outliers"}
    with monkeypatch.context() as patch:
        for name in limits:
            patch.setattr(f"concept_assets.checks.{name}", -1)
        first = registered(own_home)
        assert [text.split()[0] for text in first.failed] == list(limits.values())
        assert (first.is_new, first.champion, aliases(own_home)) == (True, None, {})
    run(own_home, {"labels.n_words": "3"})
    second = registered(own_home)
    assert (second.version, second.failed, second.champion) == (2, [], 2)
    run(own_home, {"labels.n_words": "4"})
    monkeypatch.setattr("concept_assets.checks.published.MAX_DRIFT", -1)
    third = registered(own_home)
    assert (third.version, third.is_new, third.champion) == (3, True, 2)
    assert third.failed == ["little_drift (0.000, at most -1)"]
    assert {name: str(version) for name, version in aliases(own_home).items()} == {"champion": "2"}


def test_forgetting_removes_the_versions_that_hold_the_image(own_home: Home, run, listener) -> None:
    registered(own_home)
    extra = own_home.path.parent / "photos" / "pizza" / "extra.jpg"
    render("pizza", 99, 128).save(extra)
    run(own_home)
    assert registered(own_home).champion == 2
    with duckdb.connect(str(own_home.database), read_only=True) as connection:
        [(vector,)] = connection.execute(
            "SELECT embedding FROM image_embeddings JOIN image_files USING (image_id) WHERE path = 'pizza/extra.jpg'"
        ).fetchall()
    sought = np.array(vector, np.float32).tobytes()
    models = own_home.mlflow_artifacts / "models"

    def holding() -> list[Path]:
        files = (path for path in models.rglob("*") if path.is_file())
        return [path for path in files if sought in path.read_bytes()]

    [file] = holding()
    cut = (
        models / "m-cut" / "artifacts" / "artifacts" / "concepts" / file.name
    )  # a registration that was killed
    cut.parent.mkdir(parents=True)
    cut.write_bytes(file.read_bytes())
    other = models / "m-other" / "artifacts" / "MLmodel"  # somebody's model, which is not ours
    other.parent.mkdir(parents=True)
    other.write_text("run_id: abc\n")

    lines = forget(own_home, "pizza/extra.jpg", lambda _: True, listener, print)
    assert holding() == []
    assert not cut.exists()
    assert other.exists()
    assert [line for line in lines if "registered versions are gone (concepts, 2)" in line]
    assert list(versions(own_home)) == [1]
    assert aliases(own_home) == {}
    assert load(own_home, "/1").predict(pd.DataFrame({"search_term": ["clock"]}))["labels"][0][0] == "clock"
    after = registered(own_home)
    assert (after.version, after.refresh_id, after.champion) == (3, 3, 3)


def test_models_in_a_foreign_store_are_removed_by_hand(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    uri = "http://tracking:5000"
    [line] = remove_models(home, Tracking(uri=uri), [uri, None, uri], set())
    assert line.startswith("remove by hand the registered models")
    assert line.endswith(f"{home.path} at {uri}, if there are any")
    assert not home.path.exists()


def test_what_keeps_a_refresh_from_being_registered_is_one_line(own_home: Home, run) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(ConceptError, match="nothing was published"):
        registered(Home(own_home.path.parent / "none"))
    whole = own_home.mlflow_database.read_bytes()
    own_home.mlflow_database.write_bytes(b"no database " * 1_000)
    with pytest.raises(ConceptError, match=r"the MLflow store .*mlflow.db cannot be used: .*not a database"):
        registered(own_home)
    own_home.mlflow_database.write_bytes(whole)
    with duckdb.connect(str(own_home.database), read_only=True) as connection:
        [(run_id,)] = connection.execute("SELECT mlflow_run_id FROM refreshes").fetchall()
    client(own_home).delete_run(run_id)
    with pytest.raises(ConceptError, match=rf"MLflow run {run_id} of refresh 1 was deleted"):
        registered(own_home)
    run(own_home, {"tracking.enabled": "false", "labels.n_words": "3"})
    with pytest.raises(ConceptError, match=r"refresh 2 has no MLflow run .* tracking was off"):
        registered(own_home)
    with pytest.raises(MlflowException, match="not found"):
        aliases(own_home)
