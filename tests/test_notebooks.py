"""The notebooks run from top to bottom, keep small outputs with figures, and end with something to try."""

import base64

import nbformat
import pytest
from nbclient import NotebookClient

from paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


# zmq and the kernel's sockets are not ours
@pytest.mark.filterwarnings("ignore")
def test_it_runs(notebook, tmp_path):
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()


def test_it_is_stored_executed_with_figures_and_small(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    figures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(figures) >= 2
    assert all(len(base64.b64decode(figure)) < 100_000 for figure in figures)


def test_it_begins_with_its_subject_and_ends_with_something_to_try(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert notebook.cells[-1].cell_type == "markdown"
    assert "## Try" in notebook.cells[-1].source
