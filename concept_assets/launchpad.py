"""The settings as typed configuration of a run: the launchpad completes them and says what each means."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from concept_lib.settings import SECTIONS, Section
from concept_lib.settings_sources import absolute_path

KINDS = (bool, int, float, str)


def _section_config(name: str, section: type[Section]) -> type[dg.Config]:
    """Configuration of one section: every field may be left out, and keeps its value then."""
    fields: dict[str, Any] = {
        key: (_kind(f"{name}_{key}", field.annotation) | None, Field(None, description=_meaning(field)))
        for key, field in section.model_fields.items()
    }
    return create_model(f"{section.__name__}Config", __base__=dg.Config, __doc__=section.__doc__, **fields)


def _kind(name: str, annotation: Any) -> Any:  # noqa: ANN401 - an annotation
    """What Dagster can ask for: one plain kind, or a choice of words; of more kinds the number."""
    if get_origin(annotation) is Annotated:
        return _kind(name, get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return Enum(name, {word: word for word in get_args(annotation)})
    if get_origin(annotation) in (Union, UnionType):
        parts = [_kind(name, part) for part in get_args(annotation) if part is not type(None)]
        return next(kind for kind in (*KINDS, parts[0]) if kind in parts)
    return annotation


def _meaning(field: FieldInfo) -> str:
    default = "" if field.default is None else f"; by default {field.default}"
    return f"{field.description}{default}"


def _settings_config() -> type[dg.Config]:
    sections: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        made = _section_config(name, section)
        sections[name] = (made, Field(default_factory=made, description=section.__doc__))
    return create_model("SettingsConfig", __base__=dg.Config, **sections)


SettingsConfig = _settings_config()


def chosen(settings: dg.Config) -> Mapping[str, str]:
    """Settings that somebody wrote, as ``{"section.key": text}``.

    Examples
    --------
    >>> chosen(SettingsConfig(reduction={"n_neighbors": 20, "refit": "always"}))
    {'reduction.n_neighbors': '20', 'reduction.refit': 'always'}
    """
    found = {}
    for section, part in settings.model_dump(mode="json", exclude_none=True).items():
        for name, value in part.items():
            key = f"{section}.{name}"
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[key] = absolute_path(key, text, Path.cwd())
    return found
