"""The notebook runs and says what it shows; the reference is built from the docstrings."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from concept_lib import ConceptModel

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_the_notebook_runs_and_its_outputs_are_what_it_gives() -> None:
    cells = json.loads((ROOT / "docs" / "concept_model.ipynb").read_text())["cells"]
    space: dict[str, object] = {}
    compared = 0
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        *body, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(body, []), "notebook", "exec"), space)
        assert isinstance(last, ast.Expr)
        value = eval(compile(ast.Expression(last.value), "notebook", "eval"), space)
        shown = next(output["data"] for output in cell["outputs"] if "data" in output)
        if not isinstance(value, int | list | tuple):
            assert {"text/html", "image/png"} & set(shown), cell["source"]
            continue
        told = ast.literal_eval("".join(shown["text/plain"]))
        if isinstance(value, list) and isinstance(value[0], tuple):  # similarities: equal but for rounding
            assert [row[:2] for row in value] == [row[:2] for row in told]
            assert [row[2] for row in value] == pytest.approx([row[2] for row in told], abs=0.02)
        else:
            assert value == told
        compared += 1
    assert compared >= 4


def test_the_reference_is_built_from_the_docstrings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pdoc", "-d", "numpy", "-o", str(tmp_path), "concept_lib.model"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Warn" not in built.stderr
    page = (tmp_path / "concept_lib" / "model.html").read_text()
    public = [name for name in vars(ConceptModel) if not name.startswith("_") and "request" not in name]
    assert len(public) >= 15
    for name in public:
        assert f'id="ConceptModel.{name}"' in page
