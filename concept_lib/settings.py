"""Every parameter of a refresh, typed, with unit and default."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from concept_lib.storage import canonical_json

_MACHINE: JsonDict = {"machine": True}  # says how a machine works, not what comes out: never in a fingerprint
REFIT_RULES = {"refit", "refit_after", "refit_outliers"}  # of the reduction: say when to fit, not how
_APART = {"tracking"}  # sections that change nothing but where results are told
MAX_SEED = 2**32 - 1


class Section(BaseModel):
    """Base of the sections: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Images(Section):
    """The folder of images and the limits of decoding."""

    folder: str | None = Field(
        None, description="folder of images; without one, <home>/sample", json_schema_extra=_MACHINE
    )
    max_pixels: int = Field(
        50_000_000, ge=1, description="pixels; a larger picture is skipped, judged by its header"
    )
    max_file_bytes: int = Field(200_000_000, ge=1, description="bytes; a larger file is skipped")
    decode_seconds: float = Field(10.0, gt=0, le=3600, description="seconds a file may take to decode")
    workers: int | None = Field(
        None, ge=1, description="decoding processes; by default one a core", json_schema_extra=_MACHINE
    )
    quiet_seconds: float = Field(
        10.0,
        ge=0,
        le=86_400,
        description="seconds without a change before a refresh starts by itself",
        json_schema_extra=_MACHINE,
    )


class Vocabulary(Section):
    """The nouns that may name a concept."""

    source: str = Field("nouns", description="nouns, wordnet, none, or a text, CSV or Parquet file")
    sample: int = Field(50_000, ge=1, description="words drawn from wordnet")
    seed: int = Field(42, ge=0, le=MAX_SEED, description="seed of that draw")


class Embedding(Section):
    """The encoder that puts images and words into one space."""

    model: str = Field(
        "clip-ViT-B-32", description="hub name or folder of a sentence-transformers CLIP model, or demo"
    )
    revision: str | None = Field(None, description="commit of the model on the hub")
    text_model: str | None = Field(
        None, description="another text tower of the same space; by default the model's own"
    )
    embeddings: str | None = Field(
        None, description=".npz, Parquet or .pkl file of image vectors, in place of the image tower"
    )
    batch_size: int = Field(
        32, ge=1, description="images a step; several GPUs want more, such as 512", json_schema_extra=_MACHINE
    )
    device: str = Field("auto", description="auto, cpu, cuda or mps", json_schema_extra=_MACHINE)
    # These two do bear on the vectors; the fingerprint of each tower tells what they come to on this machine.
    backend: Literal["auto", "torch", "openvino"] = Field(
        "auto", description="what computes; auto: openvino on a CPU, else torch", json_schema_extra=_MACHINE
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="auto: half where the hardware has it and cosines to fp32 stay above .9999",
        json_schema_extra=_MACHINE,
    )

    @property
    def arithmetic(self) -> dict[str, str]:
        """What the functions that load or fingerprint a model take besides its name."""
        return {"device": self.device, "backend": self.backend, "precision": self.precision}


class Reduction(Section):
    """UMAP (McInnes, Healy, Melville 2018)."""

    n_neighbors: int = Field(15, ge=2, description="neighbours of each image")
    n_components: int = Field(5, ge=2, description="dimensions in which the clusters are sought")
    min_dist: float = Field(0.0, ge=0, le=1, description="UMAP min_dist for the clusters")
    map_min_dist: float = Field(0.1, ge=0, le=1, description="UMAP min_dist for the two-dimensional map")
    seed: int = Field(42, ge=0, le=MAX_SEED, description="seed of both layouts, and of the sample")
    fit_sample: int = Field(
        100_000,
        ge=20,
        description="most images that a fit learns from: of more, a stratified sample; the others are assigned to it",
    )
    refit: Literal["auto", "always", "never"] = Field(
        "auto",
        description="when images that come or go are fitted anew, and not assigned to the standing fit",
    )
    refit_after: float = Field(
        0.1, ge=0, le=1, description="auto: share of the images that may come or go before the next fit"
    )
    refit_outliers: float = Field(
        0.5, ge=0, le=1, description="auto: share of the images since the fit that may be outliers"
    )


class Clustering(Section):
    """HDBSCAN (Campello, Moulavi, Sander 2013), excess of mass."""

    min_concept_size: Literal["auto"] | Annotated[int, Field(ge=2)] = Field(
        "auto",
        description="fewest images of a concept, at least 2; auto: images / 80, between 5 and 30",
    )
    min_samples: int | None = Field(
        None, ge=1, description="HDBSCAN min_samples; by default min_concept_size"
    )


class Exemplars(Section):
    """The images that stand for a concept, thinned by MMR (Carbonell, Goldstein 1998)."""

    n_exemplars: int = Field(8, ge=1, le=64, description="images a concept")
    diversity: float = Field(0.3, ge=0, le=1, description="0: the closest images; 1: the most different ones")


class Identity(Section):
    """How concepts keep their ids over a refit, and from when on a change of theirs is an event."""

    min_jaccard: float = Field(
        0.3, gt=0, le=1, description="least overlap (Jaccard) of a cluster and the concept that it carries on"
    )
    split_share: float = Field(
        0.25, gt=0, le=0.5, description="least share of a concept's images in each part of its split"
    )
    merge_share: float = Field(
        0.5, gt=0, le=1, description="least share of a concept's images that a merge takes in"
    )
    growth_share: float = Field(
        0.1, ge=0, description="least growth or shrinkage that is told, as a share of the images before"
    )
    growth_images: int = Field(5, ge=1, description="least growth or shrinkage that is told, in images")


class Collages(Section):
    """One picture a concept, made of its exemplars."""

    width: int = Field(1048, ge=128, le=4096, description="pixels at most")


class Labels(Section):
    """Words that name a concept."""

    method: Literal["cosine", "ctfidf"] = Field("cosine", description="which words are shown")
    n_words: int = Field(10, ge=1, le=100, description="words kept for each method")
    n_shown: int = Field(3, ge=1, le=10, description="words in a shown label")
    min_confidence: float = Field(0.5, ge=0, le=1, description="below it a concept is unnamed")


class Tracking(Section):
    """MLflow."""

    enabled: bool = Field(True, description="log each refresh to MLflow")
    uri: str | None = Field(None, description="MLflow tracking URI; by default SQLite under the home")
    experiment: str = Field("concept-atlas", min_length=1, description="MLflow experiment")
    max_collages: int = Field(60, ge=0, description="collages logged a refresh, largest concepts first")


class Settings(Section):
    """All sections.

    Examples
    --------
    >>> Settings().reduction.n_neighbors
    15
    """

    images: Images = Images()
    vocabulary: Vocabulary = Vocabulary()
    embedding: Embedding = Embedding()
    reduction: Reduction = Reduction()
    clustering: Clustering = Clustering()
    exemplars: Exemplars = Exemplars()
    identity: Identity = Identity()
    collages: Collages = Collages()
    labels: Labels = Labels()
    tracking: Tracking = Tracking()

    def version(self, section: str) -> str:
        """Hash of the settings of one section that bear on its results, and no others.

        Examples
        --------
        >>> busy = Settings(images=Images(workers=8))
        >>> busy.version("images") == Settings().version("images")
        True
        """
        return hashlib.sha256(canonical_json(self._results(section))).hexdigest()[:32]

    def compared(self) -> dict[str, str]:
        """Settings that a person compares two results by: those that bear on them and are set, as text.

        Examples
        --------
        >>> found = Settings().compared()
        >>> found["reduction.n_neighbors"], "images.workers" in found, "clustering.min_samples" in found
        ('15', False, False)
        """
        sections = [name for name in SECTIONS if name not in _APART]
        values = {f"{name}.{key}": value for name in sections for key, value in self._results(name).items()}
        return {key: str(value) for key, value in values.items() if value is not None}

    def _results(self, section: str) -> dict[str, Any]:
        """Values of one section that bear on its results."""
        part: Section = getattr(self, section)
        machine = {
            name for name, field in type(part).model_fields.items() if field.json_schema_extra == _MACHINE
        }
        return part.model_dump(exclude=machine)


SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation  # type: ignore[misc]
    for name, field in Settings.model_fields.items()
}
