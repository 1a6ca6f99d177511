"""The model that MLflow serves. A copy of this file is its code, which MLflow runs where the model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd  # noqa: TID253 - MLflow alone runs this file
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.models import set_model  # noqa: TID253
from mlflow.pyfunc.model import PythonModel  # noqa: TID253

from concept_lib.model import ConceptModel
from concept_lib.model.answers import answers

GIVEN = ("image", "search_term")
ANSWERED = ("concepts", "labels", "similarities", "problem")


class ServedConcepts(PythonModel):
    """Concepts of base64 images, and concepts nearest to search terms."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's
        """Read the concepts; the model of images and words is loaded with the first question."""
        self._concepts = ConceptModel.load(context.artifacts["concepts"], progress=False)

    def predict(
        self,
        context: Any,  # noqa: ANN401, ARG002
        model_input: pd.DataFrame,
        params: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Answer row by row; see `concept_lib.model.answers`."""
        top_n = int((params or {}).get("top_n", 5))
        if top_n < 1:
            raise MlflowException.invalid_parameter_value("top_n takes a number of at least 1")
        if not set(GIVEN) & set(model_input):
            raise MlflowException.invalid_parameter_value("give a column image, search_term or both")
        nothing = [None] * len(model_input)
        pictures, terms = (list(model_input.get(name, nothing)) for name in GIVEN)
        found = answers(self._concepts, pictures, terms, top_n)
        return pd.DataFrame(
            {name: pd.Series([getattr(answer, name) for answer in found], dtype=object) for name in ANSWERED}
        )


set_model(ServedConcepts())
