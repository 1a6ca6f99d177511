"""The external inputs of the graph: what lies outside it, and the version of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg

from concept_lib.curation import Actions, curation_version, load_actions
from concept_lib.errors import ConceptError
from concept_lib.images.catalog import Catalog, folder_version, scan
from concept_lib.images.forgotten import forgotten_images
from concept_lib.images.scan_cache import read_scan, write_scan
from concept_lib.settings import SECTIONS, Settings
from concept_lib.storage import Home, canonical_json
from concept_lib.vocabulary import vocabulary_version

IMAGE_FOLDER = "image_folder"
VOCABULARY_SOURCE = "vocabulary_source"
CURATION = "curation"


def setting(section: str) -> str:
    """Name of the external asset that stands for one section of the settings."""
    return f"settings/{section}"


def key(name: str) -> dg.AssetKey:
    """Asset key of an input or an asset by its name."""
    return dg.AssetKey(name.split("/"))


def _section_table(name: str) -> str:
    """What a section of the settings is, and each setting of it, in Markdown."""
    section = SECTIONS[name]
    rows = [
        f"| `{name}.{key}` | {field.description} | {'' if field.default is None else f'`{field.default}`'} |"
        for key, field in section.model_fields.items()
    ]
    ways = "Change them with `concept refresh --set`, in `concept.toml`, or in the launchpad of the job `refresh`."
    return "\n".join(
        [f"{section.__doc__} {ways}", "", "| setting | what it is | default |", "|---|---|---|", *rows]
    )


def _input(path: str | list[str], kind: str, subject: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        path,
        group_name="settings" if kind == "toml" else "inputs",
        kinds={kind},
        owners=["team:concept-atlas"],
        tags={"subject": subject},
        description=description,
    )


SPECS = [
    _input(
        IMAGE_FOLDER,
        "file",
        "images",
        "The folder of images, with its folders. Its version hashes the path, content and status of each picture file, "
        "never its time; other files do not count. The sensor `watch` starts a refresh once it changed.",
    ),
    _input(
        VOCABULARY_SOURCE,
        "file",
        "words",
        "The list of nouns: bundled, WordNet, or a file. Its version hashes the words.",
    ),
    _input(
        CURATION,
        "file",
        "concepts",
        "What people decided about concepts: `concept rename`, `concept merge` and `concept pin`. Its version hashes "
        "the actions in force.",
    ),
    *(_input(["settings", name], "toml", "settings", _section_table(name)) for name in SECTIONS),
]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was found outside the graph at one moment."""

    folder: Path
    catalog: Catalog
    actions: Actions
    versions: Mapping[str, str]


def find_inputs(home: Home, settings: Settings, *, verify: bool = False) -> Inputs:
    """Look at the folder, the vocabulary, the settings and the user's word, and give each its version.

    Parameters
    ----------
    verify
        Read every file again, also those whose size, time and inode are those of the last scan.
    """
    folder = image_folder(home, settings)
    known = {} if verify else read_scan(home.scan_cache, folder)
    catalog = scan(
        folder,
        max_file_bytes=settings.images.max_file_bytes,
        known=known,
        exclude=home.path,
        forgotten=forgotten_images(home),
    )
    write_scan(home.scan_cache, folder, catalog)
    versions = {setting(name): settings.version(name) for name in SECTIONS}
    versions[setting("embedding")] = _embedding_version(settings)
    versions[IMAGE_FOLDER] = folder_version(catalog)
    words = settings.vocabulary
    versions[VOCABULARY_SOURCE] = vocabulary_version(words.source, sample=words.sample, seed=words.seed)
    actions = load_actions(home)
    versions[CURATION] = curation_version(actions)
    return Inputs(folder, catalog, actions, versions)


def image_folder(home: Home, settings: Settings) -> Path:
    """The folder of images that the settings mean.

    Raises
    ------
    ConceptError
        When it would make a refresh fail at the end.
    """
    folder = Path(settings.images.folder or home.sample)
    if settings.images.folder is None and not folder.is_dir():
        raise ConceptError(
            "no folder of images yet: give one with concept refresh --images DIR, or render one with concept sample DIR"
        )
    if not str(folder).isprintable():
        raise ConceptError(
            f"the name of the folder {str(folder)!r} cannot be stored as text; rename it, or link to it"
        )
    if folder.is_dir() and home.path.is_dir() and folder.samefile(home.path):
        raise ConceptError(
            f"{folder} is both the folder of images and the home; give the home its own with --home"
        )
    return folder


def _embedding_version(settings: Settings) -> str:
    """The section together with the files that it names: new weights are a new version."""
    from concept_lib.embedding.model_files import (
        load_calibration,
        locate,
        model_fingerprint,
        text_fingerprint,
    )
    from concept_lib.embedding.precomputed import vectors_fingerprint

    section = settings.embedding
    parts: dict[str, object] = {"section": settings.version("embedding")}
    if section.embeddings is not None:
        parts["embeddings"] = vectors_fingerprint(Path(section.embeddings))
    else:
        parts["images"] = model_fingerprint(section.model, section.revision, **section.arithmetic)
    if settings.vocabulary.source != "none":
        parts["words"] = text_fingerprint(
            section.model, section.text_model, section.revision, **section.arithmetic
        )
        parts["calibration"] = asdict(load_calibration(locate(section.model, section.revision)))
    return hashlib.sha256(canonical_json(parts)).hexdigest()[:32]


def record_inputs(instance: dg.DagsterInstance, versions: Mapping[str, str]) -> None:
    """Tell Dagster the versions of the external inputs, where they are new to it.

    Staleness in the UI is exact only when this comes before the run that reads them.
    """
    for event in new_versions(instance, versions):
        instance.report_runless_asset_event(event)


def new_versions(
    instance: dg.DagsterInstance, versions: Mapping[str, str]
) -> Iterator[dg.AssetMaterialization]:
    """Events that tell Dagster the versions that it does not know yet."""
    for name, version in versions.items():
        latest = instance.get_latest_materialization_event(key(name))
        known = latest.asset_materialization.tags if latest and latest.asset_materialization else None
        if not known or known.get("dagster/data_version") != version:
            yield dg.AssetMaterialization(key(name), tags={"dagster/data_version": version})
