"""Where the value of a setting comes from.

Later sources win: defaults, ``concept.toml``, ``<home>/settings.toml``, the environment
(``CONCEPT_REDUCTION__N_NEIGHBORS=20``), and the flags of one command.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from concept_lib.errors import ConceptError
from concept_lib.settings import SECTIONS, Settings
from concept_lib.storage import Home, write_file

ENVIRONMENT_PREFIX = "CONCEPT_"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings in force, and where each value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def resolve(home: Home, flags: Mapping[str, str] | None = None) -> Resolved:
    """Find every setting.

    Parameters
    ----------
    home
        Its ``settings.toml`` and the ``concept.toml`` that it points to are read.
    flags
        ``{"section.key": text}`` of one command; an empty string takes back what the home keeps.

    Raises
    ------
    ConceptError
        For an unknown key or a value of the wrong kind, naming the key, its source and what it takes.

    Examples
    --------
    >>> found = resolve(Home(Path("nowhere")), {"reduction.n_neighbors": "20"})
    >>> found.settings.reduction.n_neighbors, found.origins["reduction.n_neighbors"]
    (20, 'flag')
    """
    flags = flags or {}
    layers = [
        ("concept.toml", _read_toml(config_file(home))),
        ("home", {key: value for key, value in kept(home).items() if flags.get(key) != ""}),
        ("environment", _environment()),
        ("flag", {key: parse_value(text) for key, text in flags.items() if text != ""}),
    ]
    values: dict[str, Any] = {}
    origins = {f"{name}.{key}": "default" for name, part in SECTIONS.items() for key in part.model_fields}
    for origin, layer in layers:
        for key, value in layer.items():
            _check_key(key, origin)
            values[key] = value
            origins[key] = origin
    return Resolved(_validate(values, origins), origins)


def config_file(home: Home) -> Path:
    """The ``concept.toml`` in force: the one recorded in the home, else the one in the working folder."""
    if home.config_pointer.is_file():
        return Path(home.config_pointer.read_text().strip())
    return Path.cwd() / "concept.toml"


def kept(home: Home) -> dict[str, Any]:
    """What earlier commands set, as ``{"section.key": value}``."""
    return _read_toml(home.settings_file)


def keep(home: Home, flags: Mapping[str, str]) -> None:
    """Keep the flags of a command in the home, and the place of ``concept.toml`` once there is one."""
    import tomlkit

    new = {key: parse_value(text) if text else "" for key, text in flags.items()}
    values = {key: value for key, value in (kept(home) | new).items() if value != ""}
    document = tomlkit.document()
    document.add(tomlkit.comment("Kept by the concept command; take one back with: --set section.key="))
    for name in SECTIONS:
        part = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        if part:
            document[name] = part
    write_file(home.settings_file, tomlkit.dumps(document).encode())
    config = config_file(home)
    if config.is_file():
        write_file(home.config_pointer, str(config).encode())


def parse_value(text: str) -> Any:  # noqa: ANN401 - a TOML value may be of any kind
    """Read a value as TOML would; anything else is text.

    Examples
    --------
    >>> parse_value("20"), parse_value("true"), parse_value("clip-ViT-B-32")
    (20, True, 'clip-ViT-B-32')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_toml(path: Path) -> dict[str, Any]:
    """Flatten ``[section] key = value`` into ``section.key``; paths are relative to the file."""
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConceptError(f"{path} is not valid TOML: {error}") from error
    flat: dict[str, Any] = {}
    for section, part in document.items():
        if not isinstance(part, dict):
            raise ConceptError(
                f"{path}: {section} stands outside a section; write it under one of {_names()}"
            )
        for key, value in part.items():
            flat[f"{section}.{key}"] = absolute_path(f"{section}.{key}", value, path.parent)
    return flat


def _environment() -> dict[str, Any]:
    """``CONCEPT_SECTION__KEY`` of the environment."""
    found: dict[str, Any] = {}
    for name, text in sorted(os.environ.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".", 1)
            found[key] = absolute_path(key, parse_value(text), Path.cwd())
    return found


def absolute_path(key: str, value: Any, base: Path) -> Any:  # noqa: ANN401
    """Make the value of a path-like setting absolute, so that it means the same from every folder."""
    words = {"vocabulary.source": {"nouns", "wordnet", "none"}, "embedding.model": {"demo"}}.get(key, set())
    if not isinstance(value, str) or not value or value in words:
        return value
    always = {"images.folder", "vocabulary.source", "embedding.embeddings"}
    path = base / Path(value).expanduser()
    may_be_folder = key in {"embedding.model", "embedding.text_model"} and (
        path.is_dir() or value[0] in "./~"
    )
    return os.path.abspath(path) if key in always or may_be_folder else value  # noqa: PTH100 - keeps links


def _check_key(key: str, origin: str) -> None:
    section, _, name = key.partition(".")
    if section not in SECTIONS:
        raise ConceptError(f"unknown setting {key} ({origin}): sections are {_names()}")
    if name not in SECTIONS[section].model_fields:
        raise ConceptError(
            f"unknown setting {key} ({origin}): [{section}] takes {', '.join(SECTIONS[section].model_fields)}"
        )


def _names() -> str:
    return ", ".join(SECTIONS)


def _validate(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """Build the typed settings; the first wrong value is told in one line."""
    tree: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        problems = error.errors()
        section, name = str(problems[0]["loc"][0]), str(problems[0]["loc"][1])
        said = [problem["msg"] for problem in problems if problem["loc"][:2] == problems[0]["loc"][:2]]
        key = f"{section}.{name}"
        takes = SECTIONS[section].model_fields[name].description
        raise ConceptError(
            f"{key} = {values[key]!r} ({origins[key]}): {', or '.join(said)}; it takes: {takes}"
        ) from None
