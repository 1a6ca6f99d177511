"""A published refresh as a model in MLflow: its files, signature and example."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from concept_assets.tracking.store import store_errors
from concept_lib.database.publish import product_version
from concept_lib.images.sample import render
from concept_lib.pictures.collage import encode_jpeg

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import Model, ModelSignature

    from concept_lib.model import ConceptModel

CONCEPTS = "concepts"
"""Folder of the artifact: what `ConceptModel.save` writes."""
CODE = Path(__file__).with_name("served.py")


def log_concepts(
    client: MlflowClient, run: Run, name: str, concepts: ConceptModel, tags: Mapping[str, str]
) -> LoggedModel:
    """Log concepts as a model of a run.

    Parameters
    ----------
    client
        Of the run's store.
    run
        Of the refresh that published the concepts.
    name
        Of the model.
    concepts, tags
        What is logged.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run_id = run.info.run_id
    model = client.create_logged_model(run.info.experiment_id, name, run_id, dict(tags))
    try:
        with TemporaryDirectory() as scratch:
            concepts.save(Path(scratch) / CONCEPTS)
            about = Model(artifact_path=model.artifact_location, run_id=run_id, model_id=model.model_id)
            _save(Path(scratch) / "model", about, Path(scratch) / CONCEPTS)
            client.log_model_artifacts(model.model_id, f"{scratch}/model")
    except BaseException:
        with suppress(*store_errors()):
            client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, "READY")


def signature() -> ModelSignature:
    """What the model takes and gives: texts in, concepts out, best first."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import Array

    taken: list[ColSpec | TensorSpec] = [
        ColSpec("string", name, required=False) for name in ("image", "search_term")
    ]
    given: list[ColSpec | TensorSpec] = [
        ColSpec(Array(DataType.long), "concepts"),
        ColSpec(Array(DataType.string), "labels"),
        ColSpec(Array(DataType.double), "similarities"),
        ColSpec("string", "problem", required=False),
    ]
    top_n = ParamSpec("top_n", DataType.long, 5)
    return ModelSignature(Schema(taken), Schema(given), ParamSchema([top_n]))


def example() -> pd.DataFrame:
    """A drawn picture, which is of no collection, and a search term."""
    import pandas as pd

    picture = base64.b64encode(encode_jpeg(render("beach", 0, 64))).decode()
    return pd.DataFrame({"image": [picture, None], "search_term": [None, "beach"]})


def _save(folder: Path, about: Model, concepts: Path) -> None:
    """Write the model's folder; nothing is asked of the network."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(CODE),
        artifacts={CONCEPTS: str(concepts)},
        mlflow_model=about,
        signature=signature(),
        input_example=example(),
        pip_requirements=[f"concept-atlas=={product_version()}"],
    )
