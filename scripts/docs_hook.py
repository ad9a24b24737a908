"""A hook of mkdocs: fills `{{ name }}` in pages with tables made from the code, the tests and the notebooks."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from validation import table, validation  # noqa: E402

EQUATION_MODULES = tuple(f"gpucrust.physics.{name}" for name in ("eos", "force_balance", "diffusion", "ground_state"))


def sweep_keys() -> str:
    """Every key of a sweep file, a table a section."""
    from gpucrust.sweep.template import sections, settings

    keys, docs, parts = settings(), {"": "At the top of the file.", **sections()}, []
    for section in dict.fromkeys(key.section for key in keys):
        rows = [
            (f"`{k.name}`", k.kind, "required" if k.default is None else f"`{k.default}`", k.allowed, k.description)
            for k in keys
            if k.section == section
        ]
        parts += [f"## {f'[{section}]' if section else 'Title'}", docs.get(section, "")]
        parts.append(table(("key", "value", "default", "allowed", "meaning"), rows))
    return "\n\n".join(parts)


def dataset() -> str:
    """Coordinates and variables of a result."""
    from gpucrust import schema
    from gpucrust.sweep.config import OutputSection

    axes, cut = ", ".join(schema.AXES), OutputSection().layer_cut
    rows = {name: _variable(name, (name,), a) for name, a in schema.COORDINATES.items()}
    rows |= {name: _variable(name, ("nuclide",), a) for name, a in schema.NUCLIDE_COORDINATES.items()}
    kinds: dict[str, list[Sequence[str]]] = {"Coordinates": list(rows.values())}
    kinds |= {"Profiles": [], "Members": [], "Layers": []}
    for name, v in schema.VARIABLES.items():
        kind = "Profiles" if "pressure" in v.dims else "Layers" if name.startswith("layer_") else "Members"
        kinds[kind].append(_variable(name, v.dims, v.attributes_with(layer_cut=cut, axes=axes)))
    head = ("name", "dimensions", "units", "meaning")
    return "\n\n".join(f"## {kind}\n\n{table(head, rows)}" for kind, rows in kinds.items())


def _variable(name: str, dims: Sequence[str], attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the tables of the dataset."""
    from gpucrust.schema import AXES

    meaning = attributes["long_name"] + (f". {attributes['comment']}" if "comment" in attributes else "")
    if "flag_meanings" in attributes:
        flags = zip(attributes["flag_values"], attributes["flag_meanings"].split(), strict=True)
        meaning += ". Values: " + ", ".join(f"{value} {word}" for value, word in flags)
    return f"`{name}`", ", ".join(dims).replace(", ".join(AXES), "*axes*"), attributes.get("units", ""), meaning


def equations() -> str:
    """Equation numbers of CS20 beside the functions whose docstrings name them in their first paragraph."""
    found: list[tuple[int, str, str]] = []
    for module_name in EQUATION_MODULES:
        module = import_module(module_name)
        for name, function in inspect.getmembers(module, callable):
            if getattr(function, "__module__", "") == module_name and not name.startswith("_"):
                anchor = f"{module_name}.{name}"
                link = f"[`{anchor.removeprefix('gpucrust.')}`][{anchor}]"
                found += [(int(n), link, sentence) for n, sentence in _numbers(function)]
    rows = [(str(n), link, sentence) for n, link, sentence in sorted(found, key=lambda row: row[0])]
    return table(("CS20 eq.", "function", "what it says of itself"), rows)


def _numbers(documented: object) -> list[tuple[str, str]]:
    """The equation number in the first paragraph of a docstring, with it."""
    text = " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())
    match = re.search(r"\b[Ee]q\. (\d+)", text)
    return [(match[1], text)] if match else []


def notebook_files() -> list[Path]:
    """All notebooks, in order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def notebooks() -> str:
    """A list of the notebooks: title and first sentence of each."""
    lines = []
    for path in notebook_files():
        title, _, rest = "".join(json.loads(path.read_text())["cells"][0]["source"]).partition("\n")
        sentence = " ".join(rest.split()).partition(". ")[0]
        lines.append(f"- [{title.lstrip('# ')}](notebooks/{path.stem}.md): {sentence}.")
    return "\n".join(lines)


def notebook_page(path: Path) -> str:
    """A notebook as Markdown, with its stored outputs."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                png = data["image/png"].replace("\n", "")
                parts.append(f"![figure made by the code above](data:image/png;base64,{png})")
            elif "text/plain" in data or "text" in output:
                parts.append("```text\n" + "".join(data.get("text/plain", output.get("text", ""))).rstrip() + "\n```")
    return "\n\n".join(parts)


FILLED: dict[str, Callable[[], str]] = {
    "sweep_keys": sweep_keys,
    "dataset": dataset,
    "equations": equations,
    "validation": validation,
    "notebooks": notebooks,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook."""
    for path in notebook_files():
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook_page(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the page."""
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: FILLED[match[1]](), markdown)
