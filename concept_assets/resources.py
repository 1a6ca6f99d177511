"""Storage and encoder as Dagster resources: made once a run, shared by its assets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import dagster as dg
from pydantic import Field, PrivateAttr

from concept_assets.failures import in_one_line
from concept_assets.inputs import Inputs, find_inputs, record_inputs
from concept_assets.launchpad import SettingsConfig, chosen
from concept_assets.restore import earlier_state, inputs_of
from concept_assets.versioning import Compute, Metadata, reuse_or_compute
from concept_lib.database.history import next_refresh_id
from concept_lib.database.kept import State
from concept_lib.database.state import Published, published_state
from concept_lib.disk import require_room
from concept_lib.images.decode import DecodePool
from concept_lib.images.pixels import PixelStore
from concept_lib.lock import locked
from concept_lib.settings import Embedding, Settings
from concept_lib.settings_sources import resolve
from concept_lib.storage import Home, StoredAsset

if TYPE_CHECKING:
    from concept_lib.embedding.encoder import Encoder

LOCK_SECONDS = 24 * 3600.0  # a run waits its turn for a day, then says who holds the home


@dataclass(frozen=True, slots=True)
class Session:
    """What one run works with: found once, under the lock, and the same for all its assets."""

    home: Home
    settings: Settings
    inputs: Inputs
    published: Published
    refresh_id: int
    started_at: datetime
    pixels: PixelStore  # decoded for thumbnails, and to be embedded
    restored: State | None = None  # an earlier state that this run publishes again
    accept_loss: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)  # settings of this run; kept once it has published

    def run(
        self,
        context: dg.AssetExecutionContext,
        compute: Compute,
        metadata: Metadata,
        is_usable: Callable[[StoredAsset], bool] = StoredAsset.is_whole,
    ) -> dg.MaterializeResult[None]:
        """Compute one asset, or reuse what is published, or was by the state that is restored."""
        restored = self.restored
        with in_one_line(self.home):
            return reuse_or_compute(
                context,
                self.home,
                self.inputs.versions,
                (restored or self.published).data_versions,
                compute,
                metadata,
                StoredAsset.is_whole if restored else is_usable,
                restoring=restored is not None,
            )

    def load_published(self, asset: str) -> StoredAsset | None:
        """What the published refresh made, where it is still whole."""
        entry = self.published.data_versions.get(asset)
        stored = self.home.load_asset(asset, entry["data_version"]) if entry else None
        return stored if stored is not None and stored.is_whole() else None

    def decode_pool(self) -> DecodePool:
        """Make the decoding processes that the settings ask for."""
        limits = self.settings.images
        return DecodePool(
            workers=limits.workers,
            timeout_s=limits.decode_seconds,
            max_pixels=limits.max_pixels,
            max_file_bytes=limits.max_file_bytes,
            root=self.inputs.folder,
        )


def home_of_dagster() -> Home:
    """The home that this process serves."""
    return Home(Path(os.environ.get("CONCEPT_HOME", "data")))


class HomeResource(dg.ConfigurableResource[None]):
    """The home folder for those who only read what is published: it takes no lock."""

    home: str = Field(default_factory=lambda: str(home_of_dagster().path))

    def open(self) -> Home:
        """The home."""
        return Home(Path(self.home))


class StorageResource(dg.ConfigurableResource[None]):
    """The home folder, held under its lock for the length of a run, and the wishes of this run."""

    home: str = Field(
        default_factory=lambda: str(home_of_dagster().path),
        description="The folder that holds everything; by default the one that this Dagster serves.",
    )
    settings: SettingsConfig = Field(  # type: ignore[valid-type]  # made of concept_lib.settings
        default_factory=SettingsConfig,
        description="Settings to change. Those that are left out stay as they are; those that are written are kept "
        "for the next refreshes once this one has published.",
    )
    overrides: dict[str, str] = Field(
        default_factory=dict,
        description='The same by name, as the command line gives it: "section.key": "text". An empty text takes back '
        "what the home keeps.",
    )
    verify: bool = Field(
        default=False,
        description="Read every file again, also one that looks unchanged by its size and time.",
    )
    accept_loss: bool = Field(
        default=False,
        description="Publish though more than half of the images, or a folder, cannot be found.",
    )
    restore: int | None = Field(
        default=None,
        description="Publish the state of this earlier refresh again; the table refreshes lists them.",
    )
    _session: Session = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:  # type: ignore[override]
        """Take the lock, read the settings and look at the inputs."""
        home = Home(Path(self.home))

        def on_wait(holder: str) -> None:
            if context.log is not None:
                context.log.info(f"waiting for {holder}")

        run = f"Dagster run {context.run.run_id}" if context.run else "Dagster"
        with (
            in_one_line(home),
            locked(home, run, timeout_s=LOCK_SECONDS, on_wait=on_wait),
            PixelStore(home.pixels) as pixels,
        ):
            require_room(home)
            self._session = self._found(home, pixels)
            if context.instance is not None:
                record_inputs(context.instance, self._session.inputs.versions)
            yield self

    def _found(self, home: Home, pixels: PixelStore) -> Session:
        """Look at everything that the run will read."""
        started_at = datetime.now(UTC)
        flags = {**self.overrides, **chosen(self.settings)}
        settings = resolve(home, flags).settings
        published = published_state(home)  # first: it restores an input of which the file was lost
        restored = None if self.restore is None else earlier_state(home, published, self.restore)
        if restored is not None:
            settings, inputs = inputs_of(home, restored, settings)
        else:
            inputs = find_inputs(home, settings, verify=self.verify)
        return Session(
            home,
            settings,
            inputs,
            published,
            next_refresh_id(home.histories),
            started_at,
            pixels,
            restored,
            self.accept_loss,
            flags,
        )

    @property
    def session(self) -> Session:
        """The session of the run in progress."""
        return self._session


class EncoderResource(dg.ConfigurableResource[None]):
    """The encoder, loaded when an asset first needs it and kept for the run."""

    _encoder: Encoder | None = PrivateAttr(None)

    def load(self, section: Embedding) -> Encoder:
        """Load the model that the settings name."""
        from concept_lib.embedding.encoder import load_encoder

        if self._encoder is None:
            self._encoder = load_encoder(
                section.model,
                text_model=section.text_model,
                revision=section.revision,
                **section.arithmetic,
            )
        return self._encoder
