"""Execute notebooks and store them with their outputs: `python scripts/run_notebooks.py [NAME.ipynb ...]`.

Without names, all of them. After it, look at every figure.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"

for path in [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": NOTEBOOKS}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}  # times of execution would differ every time
    nbformat.write(notebook, path)
    print(f"executed {path.name}")
