"""A report of a result: one HTML file with its figures and tables inside, that needs nothing else to be read."""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from gpucrust.results import plots
from gpucrust.results.summary import axes_of, axis_text, by_mass_model, failures, member_label, show_range
from gpucrust.schema import Regime

CAPTIONS = {
    "profile": "Electron chemical potential against pressure, with layers out of diffusion equilibrium (CS20 figure "
    "1). Arrows: the slope of diffusion equilibrium, eq. 7.",
    "map": "|J_n|/J_acc in layers out of equilibrium over accretion rate and gravity: maximum, and mean by depth.",
    "probability": "Share of the members of each mass model that are out of equilibrium at a pressure.",
    "layers": "Layers of every member, and their thickness together.",
    "composition": "Mass fractions in the first crust of each mass model.",
}
"""The kinds of figure in a report, in this order, and what they show."""
MOST_PANELS = 12
"""Mass models of a result beyond which figures with a panel for each are left out."""
MOST_LAYERS = 60
"""Rows of the table of layers, at most: the thickest."""
MOST_BARS = 3000
"""Layers of a result beyond which the figure with a bar for each is left out."""
PAGE_STYLE = """
:root { color-scheme: light; --ink: #1c1e21; --quiet: #5c6570; --line: #d8dde3; --wash: #f4f6f8; --accent: #0072b2; }
* { box-sizing: border-box }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--ink); margin: 0 auto;
  max-width: 60rem; padding: 2rem 1.25rem 4rem; background: white }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; line-height: 1.2 }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 2px solid var(--accent) }
p.quiet, figcaption { color: var(--quiet); margin: .25rem 0 }
div.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--quiet); font-weight: 600 }
figure { margin: 1rem 0 2rem }
figure img { max-width: 100%; height: auto; border: 1px solid var(--line) }
pre { background: var(--wash); padding: .8rem; overflow-x: auto; font-size: .85rem }
"""
"""The page's style sheet."""


def report_html(ds: xr.Dataset) -> str:
    """The report of a dataset as one HTML document."""
    a = ds.attrs
    sections = [
        f"<h1>{escape(a.get('title', 'A result of gpucrust'))}</h1>",
        f'<p class="quiet">{escape(a["history"])}; device {escape(a["device"])}, {a["wall_time_seconds"]:.3g} s; '
        f"{ds.sizes['member']} members</p>",
        _section("What was varied", _table(("axis", "units", "values"), _axes(ds))),
        _section("Where diffusion equilibrium breaks", _table(*_breaks(ds))),
        _failed(ds),
        *(_figure(kind, figure) for kind, figure in figures(ds).items()),
        _section("Layers out of equilibrium", _layers(ds)),
        _section(
            "How it was made",
            _table(("", ""), ((k, str(a[k])) for k in ("source", "jax_version", "platform", "data_hash") if k in a))
            + f"<p>{escape(a['references'])}</p><p>{escape(a['comment'])}</p>"
            + f"<details><summary>The sweep</summary><pre>{escape(_sweep(a['sweep']))}</pre></details>",
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(a.get('title', 'gpucrust'))}</title>\n<style>{PAGE_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def figures(ds: xr.Dataset) -> dict[str, Figure]:
    """The figures that suit a dataset, by kind."""
    drawn = {}
    for kind in CAPTIONS:
        many = ds.sizes["layer"] > MOST_BARS if kind == "layers" else ds.sizes["mass_model"] > MOST_PANELS
        if many or (kind == "probability" and ds.sizes["member"] == ds.sizes["mass_model"]):
            continue
        try:
            drawn[kind] = plots.KINDS[kind](ds)
        except ValueError:  # this dataset has not what the figure shows
            continue
    return drawn


def write_report(ds: xr.Dataset, path: Path) -> None:
    """Write the report of a dataset."""
    path.write_text(report_html(ds), encoding="utf-8")


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    top = f"<thead>{line(head, 'th')}</thead>" if any(head) else ""
    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table>{top}<tbody>\n{body}\n</tbody></table></div>'


def _axes(ds: xr.Dataset) -> list[tuple[str, str, str]]:
    units = {name: ds[name].attrs.get("units", "") for name in axes_of(ds)}
    return [(name, "" if unit == "1" else unit, axis_text(ds, name, few=16)) for name, unit in units.items()]


def _breaks(ds: xr.Dataset) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    head = ("mass model", "members", "mu_e falls in", "out of equilibrium / m", "largest |J_n|/J_acc", "heat / MeV")
    rows = [
        (s.mass_model, str(s.members), str(s.falling), *(show_range(x) for x in (s.thickness, s.flux, s.heat)))
        for s in by_mass_model(ds)
    ]
    return head, rows


def _failed(ds: xr.Dataset) -> str:
    rows = [(s.name.lower(), str(n), s.sentence) for s, n in failures(ds)]
    if not rows:
        return '<p class="quiet">Every member reached the last pressure.</p>'
    return _section("Members that did not end plainly", _table(("status", "members", "meaning"), rows))


def _figure(kind: str, figure: Figure) -> str:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    data, caption = base64.b64encode(png.getvalue()).decode(), escape(CAPTIONS[kind])
    image = f'<img src="data:image/png;base64,{data}" alt="{caption}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _layers(ds: xr.Dataset) -> str:
    n = ds.sizes["layer"]
    if n == 0:
        return '<p class="quiet">There are none.</p>'
    rows = []
    for i in np.sort(np.argsort(-ds.layer_thickness.values, kind="stable")[:MOST_LAYERS]):
        row = ds.isel(layer=int(i))
        P = (f"{float(p):.4g}" for p in (row.layer_P_start, row.layer_P_end))
        label, regime = member_label(ds, int(row.layer_member)), Regime(int(row.layer_regime)).name.lower()
        rows.append((label, regime, *P, f"{float(row.layer_thickness):.3g}"))
    note = f'<p class="quiet">The {MOST_LAYERS} thickest of {n}.</p>' if n > MOST_LAYERS else ""
    return note + _table(("member", "regime", "from P / dyn cm⁻²", "to P / dyn cm⁻²", "thickness / m"), rows)


def _sweep(text: str) -> str:
    return json.dumps(json.loads(text), indent=2)
