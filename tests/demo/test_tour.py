"""demo/tour.ipynb: kept without outputs, and every cell runs."""

import ast
import re
import runpy
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers import ROOT
from tests.support.notebooks import TOUR, stripped

TEXT = TOUR.read_text(encoding="utf-8")


def names(source: str) -> set[str]:
    """What a cell assigns."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return {name.id for name in found if isinstance(name.ctx, ast.Store)}


def test_kept_without_outputs():
    assert stripped(TEXT) == TEXT, "python -m tests.support.notebooks strips it"


def test_stripping_leaves_text_and_tags():
    notebook = nbformat.v4.new_notebook(metadata={"editor": "some"})
    code = nbformat.v4.new_code_cell("1 + 1", execution_count=7, metadata={"tags": ["parameters"], "collapsed": True})
    code.outputs = [nbformat.v4.new_output("stream", text="2")]
    notebook.cells = [nbformat.v4.new_markdown_cell("# Sum", id="any"), code]
    kept = nbformat.reads(stripped(nbformat.writes(notebook)), as_version=4)
    assert [(cell.id, cell.source) for cell in kept.cells] == [("cell-00", "# Sum"), ("cell-01", "1 + 1")]
    assert kept.cells[1].outputs == []
    assert kept.cells[1].execution_count is None
    assert kept.cells[1].metadata == {"tags": ["parameters"]}
    assert "editor" not in kept.metadata


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert len(links) > 8
    assert [link for link in links if not (TOUR.parent / link).exists()] == []


@pytest.mark.parametrize("folder", [ROOT, ROOT / "demo"])
def test_starts_in_either_folder(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", list(sys.path))
    cell = tmp_path / "cell.py"
    cell.write_text(nbformat.reads(TEXT, as_version=4).cells[1].source, encoding="utf-8")
    found = runpy.run_path(str(cell))
    assert found["ROOT"] == ROOT
    assert sys.path[0] == str(ROOT)


def test_runs_from_the_first_cell_to_the_last(tmp_path, monkeypatch):
    """Trainings of a few steps; all else as a reader has it."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.reads(TEXT, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    given = parameters.source
    output = tmp_path / "tour"
    parameters.source = f"OUTPUT = Path({str(output)!r})\nEPOCHS, SAMPLES, TEST_SAMPLES = 1, 160, 32"
    assert names(parameters.source) == names(given)
    runs = set((ROOT / "experiment").iterdir())

    place = {"metadata": {"path": str(TOUR.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()

    assert set((ROOT / "experiment").iterdir()) == runs
    expected = {"person.obj", "scene.glb", "scene.npz", "params.npz", "scene.html", "experiment"}
    assert {path.name for path in output.iterdir()} == expected
    assert len(list((output / "experiment").glob("exp_*/result/metrics.json"))) == 3
    outputs = [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]
    shown = [one.data for one in outputs if one.output_type in ("display_data", "execute_result")]
    assert sum("image/png" in data for data in shown) == 8
    assert sum("data:text/html;base64," in data.get("text/html", "") for data in shown) == 1
    printed = "".join(one.text for one in outputs if one.get("name") == "stdout")
    assert "person 4: the same as person 0" in printed
    assert re.search(r"the shipped weights: joints \d+ mm, vertices \d+ mm off", printed)
