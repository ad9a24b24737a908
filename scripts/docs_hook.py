"""A hook of mkdocs: fills `{{ name }}` in pages with tables made from the code, the tests and the notebooks."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
EQUATION_MODULES = tuple(f"gpucrust.physics.{name}" for name in ("eos", "force_balance", "diffusion", "ground_state"))
TINY = {
    "axes": {"mass_model": ["DZ31"]},
    "physics": {"policy": "mixed"},
    "stepper": {"P_start": 1e30, "P_end": 1.3e30, "dlnP": 0.1, "chunk": 0.1},
    "output": {"composition": True},
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


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
    """Dimensions and variables of a result."""
    import gpucrust
    from gpucrust.schema import MEMBER_AXES

    ds = gpucrust.run(TINY)
    kinds: dict[str, list[Sequence[str]]] = {"Coordinates": [], "Profiles": [], "Members": [], "Layers": []}
    for name, v in ds.variables.items():
        a = v.attrs
        meaning = a.get("long_name", "") + (f". {a['comment']}" if "comment" in a else "")
        if "flag_meanings" in a:
            flags = zip(a["flag_values"], a["flag_meanings"].split(), strict=True)
            meaning += ". Values: " + ", ".join(f"{value} {word}" for value, word in flags)
        kind = "Coordinates" if name in ds.coords else "Layers" if str(name).startswith("layer_") else "Members"
        if kind == "Members" and "pressure" in v.dims:
            kind = "Profiles"
        dims = ", ".join(v.dims).replace(", ".join(MEMBER_AXES), "*axes*")
        kinds[kind].append((f"`{name}`", dims, a.get("units", ""), meaning))
    head = ("name", "dimensions", "units", "meaning")
    return "\n\n".join(f"## {kind}\n\n{table(head, rows)}" for kind, rows in kinds.items())


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


def validation() -> str:
    """Published numbers and ours, side by side."""
    sys.path.insert(0, str(ROOT / "tests"))
    published = import_module("published")
    ours = json.loads((ROOT / "docs" / "measured.json").read_text())

    def side_by_side(head: Sequence[str], rows: Iterable[tuple[str, float, float]], form: str = ".4g") -> str:
        cells = [
            (name, f"{theirs:{form}}", f"{own:{form}}", f"{own / theirs - 1:+.2%}" if theirs else "")
            for name, theirs, own in rows
        ]
        return table((*head, "difference"), cells)

    zipped = zip(published.HZ90, ours["one component"], strict=True)
    parts = [
        *_statements(published.CS20_STATEMENTS, ours["CS20"]),
        *_layers(ours["layers of figure 1"]),
        "## The one-component crust",
        f"{published.HAENSEL_ZDUNIK}: what the crust becomes, and at what pressure (dyn cm⁻²). Ours with `MB-refit`, "
        "`sweeps/one_component.toml`; which thresholds were fitted, and why 56Ti differs, is in "
        "[its page](one_component.md).",
        side_by_side(
            ("nuclide", "published", "ours"),
            ((a if a == b else f"{a} (ours {b})", P, Q) for (a, P), (b, Q) in zipped),
        ),
        "## Profiles",
        f"Against {published.SCALAR_CODE}. ρ in g cm⁻³, energies in MeV. Theirs / ours. Heat differs "
        "by 0.008 MeV throughout, by what burns before lg P = 28 and where a run begins.",
    ]
    for model, rows in published.PROFILES.items():
        lines = [
            (f"{own[0]:.1f}", *(f"{a:.4g} / {b:.4g}" for a, b in zip(row[1:], own[1:], strict=True)))
            for row, own in zip(rows, ours["profiles"][model], strict=True)
        ]
        parts += [f"**{model}**", table(("lg P", "ρ", "μ_e", "μ_n", "X_n", "heat"), lines)]
    drip = ours["neutron drip"]
    theirs = [_nuclide(Z, A) for Z, A in published.OUTER_CRUST]
    same = [name for name in drip["nuclides"] if name in theirs]
    parts += [
        "## Ground state",
        f"{published.PEARSON_GORIELY_CHAMEL}, AME and HFB21 with the lattice. Their outer crust: {', '.join(theirs)}. "
        f"Ours, from 10²⁵ dyn cm⁻² down: {', '.join(same)}.",
        side_by_side(("", "published", "ours"), [("neutron drip, n_b / fm⁻³", published.NEUTRON_DRIP, drip["n_b"])]),
        "## Masses",
        f"Mass excess (MeV) by {published.DUFLO_ZUKER}.",
        side_by_side(
            ("nuclide", "published", "ours"),
            ((_nuclide(Z, Z + N), m, own) for (Z, N, m), own in zip(published.DZ31, ours["DZ31"], strict=True)),
            ".3f",
        ),
        "Root mean square against AME2016 (MeV), Z and N from 8 on, 2408 nuclides: that each theory's table was taken "
        "over as published.",
        side_by_side(
            ("table", "separately", "ours"),
            ((name, rms, ours["rms"][name]) for name, rms in published.RMS.items()),
            ".3f",
        ),
        "## Flux",
        f"{published.CS20}, cm⁻² s⁻¹, at A = 70, g = 10¹⁴ cm s⁻², ρ_n = 10¹² g cm⁻³.",
        side_by_side(
            ("", "published", "ours"),
            [
                ("eq. 11, middle form", published.FLUX_EQ_11, ours["eq 11"]),
                ("eq. 11, right-hand form", published.FLUX_EQ_11_ROUNDED, ours["eq 11 rounded"]),
                ("baryon flux of Eddington accretion", published.FLUX_EDDINGTON, ours["Eddington"]),
            ],
        ),
        "## Fusion",
        f"{published.FUSION}: log₁₀ of S (MeV barn) at 0.1 MeV and of the rate (cm⁻³ s⁻¹).",
        side_by_side(
            ("", "separately", "ours"),
            [
                *(
                    (f"S, {_nuclide(Z1, A1)} + {_nuclide(Z2, A2)}", value, own)
                    for ((Z1, A1, Z2, A2), value), own in zip(published.S_FACTORS, ours["S factors"], strict=True)
                ),
                *(
                    (f"rate, {_nuclide(*nuclides[0])} + {_nuclide(*nuclides[-1])} at {rho:.4g} g cm⁻³", value, own)
                    for (nuclides, rho, _, _, value), own in zip(published.RATES, ours["rates"], strict=True)
                ),
            ],
        ),
        "## Equation of state",
        f"{published.EQUATION_OF_STATE}: μ_e, μ_n (MeV), P (dyn cm⁻²). Theirs / ours.",
        table(
            ("n_b / fm⁻³", "Y_e", "Y_n", "μ_e", "μ_n", "P"),
            [
                (*map(str, row[:3]), *(f"{a:.7g} / {b:.7g}" for a, b in zip(row[3:], own, strict=True)))
                for row, own in zip(published.EOS, ours["equation of state"], strict=True)
            ],
        ),
    ]
    return "\n\n".join(parts)


def _statements(statements: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """What CS20 state, what a run gives, and whether it agrees."""
    rows, holding = [], 0
    for name, statement in statements.items():
        value = ours[name]
        values = list(value.values()) if isinstance(value, dict) else [value]
        true = sum(statement.least <= x <= statement.most for x in values)
        holding += bool(statement.section) and true == len(values)
        given = (
            ", ".join(f"{model.removesuffix('+DZ31')} {x:.3g}" for model, x in value.items())
            if isinstance(value, dict)
            else f"{value:.3g}"
        )
        agrees = "yes" if true == len(values) else "**no**" if true == 0 else f"**in {true} of {len(values)}**"
        rows.append((statement.section, statement.says, f"{statement.measured}: {given}", agrees))
    return [
        "## CS20, statement by statement",
        "The statements of CS20's sections 2 and 3 that a run can check, in our words, beside what a run gives: "
        "`sweeps/figure1_liquid_drop.toml` unless said otherwise, ⁵⁶Fe ash, g = 2×10¹⁴ cm s⁻², ṁ = 3×10⁴ g cm⁻² s⁻¹. A "
        "statement without a number counts as true where what is small is below 0.1, what is strong is CS20's own "
        "|R - 1| > 0.5, and what is of the order is within a factor of ten. Rows without a section look into the "
        f"statement above them. {holding} of {sum(bool(row[0]) for row in rows)} statements hold in all they say.",
        table(("section", "statement of CS20", "what a run gives", "agrees?"), rows),
    ]


def _layers(layers: Mapping[str, Sequence[Any]]) -> list[str]:
    """Layers out of equilibrium of every mass model, by regime."""
    rows = []
    for model, found in layers.items():
        cells = [
            ", ".join(
                f"{start / 1e30:.3g}-{end / 1e30:.3g} ({thickness:.2g} m)"
                for regime, start, end, thickness, _ in found
                if regime == kind
            )
            for kind in ("decreasing", "flat", "steep")
        ]
        rows.append((model, *cells))
    return [
        "## Layers of figure 1",
        "Layers of 1 m or more out of diffusion equilibrium in those crusts: pressures in 10³⁰ dyn cm⁻², and "
        "thickness.",
        table(("mass model", "μ_e falls, R < 0", "flat (blue), 0 ≤ R < 0.5", "steep (red), R > 1.5"), rows),
    ]


def _nuclide(Z: int, A: int) -> str:
    from gpucrust.nuclide import nuclide_name

    return nuclide_name(Z, A - Z)


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
