"""Notebooks as they are kept: without outputs and what editors add, so that a change shows what was changed.

python -m tests.support.notebooks strips demo/tour.ipynb.
"""

import nbformat

from tests.helpers import ROOT

TOUR = ROOT / "demo" / "tour.ipynb"
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def stripped(text: str) -> str:
    """A notebook's text without outputs, numbers of runs and metadata but tags; ids are the cells' numbers.

    Raises:
        nbformat.ValidationError: it is no valid notebook.
    """
    notebook = nbformat.reads(text, as_version=4)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = _METADATA
    notebook.nbformat_minor = 5  # the first with ids
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


if __name__ == "__main__":
    TOUR.write_text(stripped(TOUR.read_text(encoding="utf-8")), encoding="utf-8")
