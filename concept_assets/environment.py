"""Where Dagster finds its instance: the same for the command line and for plain ``dagster dev``."""

from __future__ import annotations

import json
import os
from pathlib import Path

from concept_lib.errors import ConceptError
from concept_lib.storage import Home, write_file


def prepare(home: Home) -> None:
    """Point Dagster and the assets at a home, and make Dagster's tables where there are none."""
    import dagster as dg
    from filelock import FileLock

    point_at(home)
    with FileLock(home.dagster / "tables.lock"), dg.DagsterInstance.get():
        pass  # two processes that make the tables at once fail


def point_at(home: Home) -> None:
    """Name the home in the environment; in a checkout, `.env` tells `dagster dev` the same.

    Parameters
    ----------
    home
        Its Dagster folder is made.
    """
    if set(str(home.path)) & set("?%#"):
        raise ConceptError(
            f"the home {home.path} has ?, % or # in its path, which SQLite's addresses do not allow"
        )
    home.dagster.mkdir(parents=True, exist_ok=True)
    variables = {
        "DAGSTER_HOME": str(_dagster_home(home)),
        "CONCEPT_DAGSTER_STORAGE": str(home.dagster),
        "CONCEPT_HOME": str(home.path),
    }
    os.environ.update(variables)
    if home.addresses.is_file():
        for name, address in json.loads(home.addresses.read_bytes()).items():
            os.environ.setdefault(name, address)
    workspace = Path("workspace.yaml")
    if workspace.is_file() and __package__ in workspace.read_text(encoding="utf-8"):
        from dotenv import set_key

        for name, value in variables.items():
            set_key(".env", name, value, quote_mode="auto")


def _dagster_home(home: Home) -> Path:
    """Folder of the instance's settings: the checkout, or a copy in the home where a wheel is installed."""
    package = Path(__file__).resolve().parent
    shipped = package / "dagster.yaml"
    if not shipped.is_file():
        return package.parent
    write_file(home.dagster / "dagster.yaml", shipped.read_bytes())
    return home.dagster
