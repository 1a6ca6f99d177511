"""The pages of `concept ui` in a real browser: they show what they should, and nothing of ours is wrong in them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote

import duckdb
import pytest
from playwright import sync_api as playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
ABSENT = f"no browser: none of {', '.join(NAMES)} is on the path"
REQUIRED = "CONCEPT_REQUIRE_BROWSER" in os.environ  # in CI a test that was skipped would say nothing
pytestmark = pytest.mark.skipif(PROGRAM is None and not REQUIRED, reason=ABSENT)
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE = 120_000  # milliseconds that a page may take on a busy machine
UPSTREAM = (
    # MLflow 3.17 asks who is signed in, also where nobody can be.
    r"^404 http://127\.0\.0\.1:\d+/ajax-api/2\.0/mlflow/users/current$",
    # MLflow's table is laid out once more in the next frame.
    r"^console: .*ResizeObserver loop completed with undelivered notifications",
    # A request that was under way when we left the page.
    r"^failed http://127\.0\.0\.1:\d+/\S+ net::ERR_ABORTED$",
    # The browser's own words for an answer above 400, which is listed by itself.
    r"^console: Failed to load resource: the server responded with a status of \d+",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    if PROGRAM is None:
        pytest.fail(ABSENT)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=PROGRAM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser) -> Callable[[str], AbstractContextManager[playwright.Page]]:
    """Open a page; when it is left, nothing of ours may have gone wrong in it."""

    @contextmanager
    def visit(address: str) -> Iterator[playwright.Page]:
        troubles: list[str] = []
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: said.type == "error" and troubles.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: troubles.append(f"exception: {error}"))
        page.on("requestfailed", lambda asked: troubles.append(f"failed {asked.url} {asked.failure}"))
        page.on("response", lambda got: got.status >= 400 and troubles.append(f"{got.status} {got.url}"))
        page.on("request", lambda asked: is_outside(asked.url) and troubles.append(f"outside: {asked.url}"))
        page.goto(address)
        yield page
        page.close()
        assert [line for line in troubles if not any(re.search(known, line) for known in UPSTREAM)] == []

    return visit


def is_outside(address: str) -> bool:
    return not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", address)


@pytest.fixture(scope="module")
def runs(served) -> dict[str, str]:
    """MLflow's runs of the refreshes: id and name."""
    with duckdb.connect(str(served.home.database), read_only=True) as connection:
        found = connection.execute(
            "SELECT mlflow_run_id, refresh_id || ': ' || title FROM refreshes ORDER BY refresh_id"
        ).fetchall()
    return dict(found)


def test_trouble_on_a_page_is_noticed(served, opened) -> None:
    with (
        pytest.raises(AssertionError, match="404 http"),
        opened(f"http://127.0.0.1:{served.port + 1}/ajax-api/2.0/mlflow/nothing"),
    ):
        pass


def test_the_asset_graph_shows_every_group_and_then_every_asset(served, opened) -> None:
    nodes = served.graphql("{ assetNodes { assetKey { path } groupName isMaterializable } }")["assetNodes"]
    with opened(served.lines[0].split()[1]) as page:
        for group in sorted({node["groupName"] for node in nodes}):
            page.get_by_text(group, exact=True).first.wait_for()
        page.get_by_text("Materialize all").wait_for()
        page.keyboard.press("Alt+KeyE")
        page.get_by_text("clusters", exact=True).first.wait_for()


def test_an_assets_page_shows_what_it_is_and_what_was_made(served, opened) -> None:
    [found] = [
        node
        for node in served.graphql("{ assetNodes { assetKey { path } description } }")["assetNodes"]
        if node["assetKey"]["path"] == ["exemplar_collages"]
    ]
    with opened(f"http://127.0.0.1:{served.port}/assets/exemplar_collages") as page:
        page.get_by_text(found["description"].splitlines()[0][:40]).first.wait_for()
        page.get_by_text("Latest materialization").first.wait_for()
        page.get_by_text("seconds", exact=True).first.wait_for()


def test_the_launchpad_of_the_refresh_accepts_its_own_defaults(served, opened) -> None:
    with opened(f"http://127.0.0.1:{served.port}/locations/concept_atlas/jobs/refresh/playground") as page:
        page.get_by_text("No errors").wait_for()
        page.get_by_role("button", name="Launch Run", disabled=False).wait_for()


def test_mlflow_lists_the_refreshes(served, opened, runs) -> None:
    with opened(served.lines[1].split()[1]) as page:
        for title in runs.values():
            page.get_by_role("link", name=title, exact=True).wait_for()


def test_mlflow_compares_two_refreshes(served, opened, runs) -> None:
    first, *_, last = runs
    experiment = served.lines[1].partition("/experiments/")[2].partition("/")[0]
    chosen, of = quote(json.dumps([first, last])), quote(json.dumps([experiment]))
    with opened(f"http://127.0.0.1:{served.port + 1}/#/compare-runs?runs={chosen}&experiments={of}") as page:
        page.get_by_text(re.compile(r"Comparing 2 Runs", re.IGNORECASE)).first.wait_for()
        for title in (runs[first], runs[last]):
            page.get_by_text(title, exact=True).first.wait_for()
        page.get_by_text("outlier_share").first.wait_for()
