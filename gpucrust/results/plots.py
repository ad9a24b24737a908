"""Figures of a dataset. Colours are Okabe & Ito's, which colour-blind readers tell apart; regimes differ in hatching
and in lightness too, so that a grey print can be read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

from gpucrust.constants import EDDINGTON_MDOT
from gpucrust.results.summary import broken_probability, first_shown, mean_flux_ratio, member_label
from gpucrust.schema import AXES, Regime

BLACK, ORANGE, BLUE, VERMILION, GREY = "#000000", "#E69F00", "#0072B2", "#D55E00", "#999999"
"""Colours of Okabe & Ito."""
STYLE: dict[Regime, dict[str, Any]] = {
    Regime.DECREASING: {"facecolor": ORANGE, "hatch": "////", "alpha": 0.55},
    Regime.FLAT: {"facecolor": BLUE, "hatch": "", "alpha": 0.25},
    Regime.STEEP: {"facecolor": VERMILION, "hatch": "", "alpha": 0.60},
}
"""How layers of each kind are filled."""
LABEL = {
    Regime.DECREASING: r"$\mu_e$ decreasing",
    Regime.FLAT: "flat, $R<0.5$",
    Regime.STEEP: "steep, $R>1.5$",
}
"""What legends call layers of each kind."""
SHADES = ("#88CCEE", "#DDCC77", "#44AA99", "#CC6677", "#AA99CC", "#99BB55", "#EEAA88", "#77AADD", "#BBBB99")
"""Colours of nuclides, in turn; light enough for black names on them."""
JUMP = 0.6
"""Width of the line that is a jump of mu_e at one pressure, points."""


def write_figure(figure: Figure, path: Path) -> None:
    """Save as the suffix says, 200 dots per inch; renamed when it is whole."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        figure.savefig(part, dpi=200)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def first_members(ds: xr.Dataset) -> xr.Dataset:
    """The first value along every axis but mass_model and pressure."""
    return ds.isel({d: 0 for d in AXES if d != "mass_model" and d in ds.dims})


def layers_of(ds: xr.Dataset, member: int) -> xr.Dataset:
    """The layers of one member, by its number in the order of the axes."""
    return ds[["layer_regime", "layer_P_start", "layer_P_end", "layer_thickness"]].isel(
        layer=np.flatnonzero(ds.layer_member.values == member)
    )


def _legend(figure: Figure, extra: list[Line2D]) -> None:
    patches = [Patch(label=LABEL[r], edgecolor=BLACK, lw=0, **style) for r, style in STYLE.items()]
    figure.legend(handles=[*extra, *patches], loc="outside lower center", ncols=3, frameon=False, fontsize="small")


def plot_profiles(ds: xr.Dataset) -> Figure:
    """mu_e(P) of the first member of each mass model, accreted and ground state (CS20 figure 1), a panel a model."""
    if "mu_e" not in ds:
        raise ValueError("this result has no profiles (output.profiles = false): plot its layers or a map")
    n = ds.sizes["mass_model"]
    figure = Figure(figsize=(6.6, 1.3 + 2.5 * n), layout="constrained")
    panels = figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]
    per_model = int(np.prod([ds.sizes[d] for d in AXES[1:]]))
    for i, panel in enumerate(panels):
        _draw_profile(panel, first_members(ds).isel(mass_model=i), layers_of(ds, i * per_model))
    panels[-1].set_xlabel("pressure  $P$  (dyn cm$^{-2}$)")
    g = float(ds.g[0])
    top = panels[0].secondary_xaxis("top", functions=(lambda P: P / g, lambda y: y * g))
    top.xaxis.set_minor_formatter(NullFormatter())
    top.set_xlabel(f"column depth  $P/g$  (g cm$^{{-2}}$) at $g$ = {g:.3g} cm s$^{{-2}}$")
    lines = [Line2D([], [], color=BLACK, ls="--", label="accreted crust")]
    if "gs_mu_e" in ds:
        lines.append(Line2D([], [], color=BLACK, ls=":", label="ground state"))
    lines.append(Line2D([], [], color=GREY, marker=">", ms=5, label="slope without diffusion, eq. 7"))
    _legend(figure, lines)
    return figure


def _draw_profile(panel: Axes, member: xr.Dataset, layers: xr.Dataset) -> None:
    shown = member.sel(pressure=slice(first_shown(member), None))
    P = shown.pressure.values
    panel.set_xscale("log")
    panel.set_xlim(P[0], P[-1])
    for layer in range(layers.sizes["layer"]):
        row = layers.isel(layer=layer)
        start, end = float(row.layer_P_start), float(row.layer_P_end)
        panel.axvspan(start, end, lw=JUMP * (start == end), ec=BLACK, **STYLE[Regime(int(row.layer_regime))])
    curves = [(shown.mu_e.values, shown.dmu_e_dP_nodiff.values, "--")]
    if "gs_mu_e" in shown:
        curves.append((shown.gs_mu_e.values, shown.gs_dmu_e_dP_nodiff.values, ":"))
    for mu_e, slope, style in curves:
        panel.plot(P, mu_e, color=BLACK, lw=1.4, ls=style)
        for at in np.geomspace(P[0] * 1.3, P[-1] / 1.35, 7):
            i = int(np.argmin(np.abs(np.log(P / at))))
            if np.isfinite(mu_e[i]):
                dP = 0.16 * P[i]
                panel.annotate(
                    "",
                    xy=(P[i] + dP, mu_e[i] + slope[i] * dP),
                    xytext=(P[i], mu_e[i]),
                    arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2, "shrinkA": 0, "shrinkB": 0},
                )
    panel.set_ylabel(r"$\mu_e$  (MeV)")
    panel.text(0.02, 0.93, str(member.mass_model.values), transform=panel.transAxes, va="top", weight="bold")


def plot_map(ds: xr.Dataset) -> Figure:
    """J_n/J_acc in layers out of equilibrium over (mdot, g), of the first member otherwise: its maximum and its mean.

    A row of panels a model.
    """
    if ds.sizes["g"] < 2 or ds.sizes["mdot"] < 2:
        raise ValueError("a map needs a sweep with at least two values of g and two of mdot")
    fields = {"maximum": _mapped(ds.max_J_ratio), "mean in layers": _mapped(mean_flux_ratio(ds))}
    if not np.any(fields["maximum"] > 0):
        raise ValueError("nothing to map: no member that it would show has a layer out of diffusion equilibrium")
    n = ds.sizes["mass_model"]
    figure = Figure(figsize=(8.0, 0.9 + 2.5 * n), layout="constrained")
    panels = figure.subplots(n, 2, sharex=True, sharey=True, squeeze=False)
    levels = [xr.apply_ufunc(np.log10, x.where(x > 0)) for x in fields.values()]
    low, high = (float(f([f(x) for x in levels])) for f in (np.nanmin, np.nanmax))
    x, y = ds.mdot.values / EDDINGTON_MDOT, ds.g.values / 1e14
    mesh = None
    for (i, j), panel in np.ndenumerate(panels):
        field = levels[j].isel(mass_model=i).transpose("g", "mdot").values
        mesh = panel.pcolormesh(_edges(x), _edges(y), field, vmin=low, vmax=high, cmap="cividis")
        if np.any(field < 0) and np.any(field > 0):
            lines = panel.contour(x, y, field, levels=[0.0], colors=["white"])
            panel.clabel(lines, fmt={0.0: "$J_n=J_{acc}$"}, fontsize="small")
        panel.set_xscale("log")
        panel.set_title(f"{ds.mass_model.values[i]}, {list(fields)[j]}", fontsize="medium")
    for panel in panels[-1]:
        panel.set_xlabel(r"accretion rate  $\dot m/\dot m_{\rm Edd}$")
    for panel in panels[:, 0]:
        panel.set_ylabel("gravity  $g$  ($10^{14}$ cm s$^{-2}$)")
    assert mesh is not None
    figure.colorbar(mesh, ax=panels, label=r"$\log_{10}$ of $|J_n|/J_{\rm acc}$ in layers")
    return figure


def _mapped(ratio: xr.DataArray) -> xr.DataArray:
    """(mass_model, g, mdot) what a map shows: a ratio of the members that are first along every other axis."""
    return ratio.isel({d: 0 for d in AXES if d not in ("mass_model", "g", "mdot")}, missing_dims="ignore")


def _edges(values: np.ndarray) -> np.ndarray:
    """(n + 1,) between positive values, and beyond the first and the last as far: at means of their logarithms."""
    x = np.log(values)
    middle = (x[1:] + x[:-1]) / 2
    return np.exp(np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]]))


def plot_layers(ds: xr.Dataset) -> Figure:
    """Extent of the layers of all members (a row a member) and their total thickness."""
    n = ds.sizes["member"]
    figure = Figure(figsize=(7.2, 1.8 + min(0.28 * n, 9.0)), layout="constrained")
    extent, thickness = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    member, regime = ds.layer_member.values, ds.layer_regime.values
    for kind, style in STYLE.items():
        own = regime == kind
        start, end = ds.layer_P_start.values[own], ds.layer_P_end.values[own]
        jumps = JUMP * (start == end)
        look = style if n <= 100 else style | {"hatch": ""}  # none is to be seen in thin bars, and it takes time
        extent.add_collection(_bars(member[own], start, end, edgecolor=BLACK, linewidth=jumps, **look))
    total = np.bincount(member, weights=ds.layer_thickness.values, minlength=n)
    thickness.add_collection(_bars(np.arange(n), np.zeros(n), total, color=GREY))
    thickness.set_xlim(0, 1.05 * total.max() or 1.0)
    thickness.set_ylim(n - 0.5, -0.5)
    thickness.set_xlabel("thickness  (m)")
    extent.set_xscale("log")
    extent.set_xlim(first_shown(ds), float(ds.pressure[-1]))
    extent.xaxis.set_minor_formatter(NullFormatter())
    extent.set_xlabel("pressure  $P$  (dyn cm$^{-2}$)")
    varied = [d for d in AXES if ds.sizes[d] > 1] or ["mass_model"]
    if n <= 40:
        extent.set_yticks(range(n), [member_label(ds, m) for m in range(n)])
    else:
        extent.set_ylabel("member: " + ", ".join(varied))
    _legend(figure, [])
    return figure


def _bars(rows: np.ndarray, start: np.ndarray, end: np.ndarray, **look: Any) -> PolyCollection:
    """Horizontal bars as one thing to draw: single ones take minutes where there are 100,000."""
    low, high = rows - 0.4, rows + 0.4
    corners = np.array([(start, low), (end, low), (end, high), (start, high)])  # (4, x and y, bars)
    return PolyCollection(list(corners.transpose(2, 0, 1)), **look)


def plot_probability(ds: xr.Dataset) -> Figure:
    """Share of members out of diffusion equilibrium at each pressure, a panel a mass model, by kind of layer."""
    n = ds.sizes["mass_model"]
    P = np.geomspace(first_shown(ds), float(ds.pressure[-1]), 600)
    figure = Figure(figsize=(6.6, 1.3 + 1.7 * n), layout="constrained")
    panels = figure.subplots(n, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    shares = {kind: broken_probability(ds, P, (kind,)).values for kind in STYLE}
    for i, panel in enumerate(panels):
        below = np.zeros_like(P)
        for kind, style in STYLE.items():
            panel.fill_between(P, below, below + shares[kind][i], step="mid", edgecolor=BLACK, linewidth=0, **style)
            below = below + shares[kind][i]
        panel.plot(P, below, color=BLACK, lw=1.0, drawstyle="steps-mid")
        panel.set_xscale("log")
        panel.set_xlim(P[0], P[-1])
        panel.set_ylim(0, 1)
        panel.set_ylabel("share")
        panel.text(0.02, 0.9, str(ds.mass_model.values[i]), transform=panel.transAxes, va="top", weight="bold")
    panels[0].set_title(f"members out of equilibrium, of {ds.sizes['member'] // n} per model", fontsize="medium")
    panels[-1].set_xlabel("pressure  $P$  (dyn cm$^{-2}$)")
    _legend(figure, [])
    return figure


def plot_composition(ds: xr.Dataset) -> Figure:
    """Mass fractions of the first member of each mass model, a panel a model: nuclides stacked, free neutrons above."""
    if "composition" not in ds or not ds.sizes["nuclide"]:
        raise ValueError("this result has no composition (output.composition = false, or no member has a result)")
    n = ds.sizes["mass_model"]
    figure = Figure(figsize=(7.2, 1.0 + 2.6 * n), layout="constrained")
    panels = figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]
    for i, panel in enumerate(panels):
        own = first_members(ds).isel(mass_model=i)
        X = own.composition.transpose("nuclide", "pressure").values
        order = np.argsort([np.nansum(own.pressure.values * x) / max(np.nansum(x), 1e-99) for x in X])
        shades = [SHADES[k % len(SHADES)] for k in order]
        panel.stackplot(own.pressure.values, *X[order], colors=shades, edgecolor="white", linewidth=0.2)
        panel.fill_between(own.pressure.values, 1 - own.X_n.values, 1, color="0.88")
        below = np.cumsum(X[order], axis=0)
        width = np.gradient(np.log(own.pressure.values))
        for k, x in enumerate(X[order]):
            at = int(np.argmax(x))
            if np.nansum(x * width) > 0.12 and x[at] > 0.1:  # room for its name
                middle = int(np.argmin(np.abs(np.cumsum(x * width) - np.sum(x * width) / 2)))
                name = str(own.nuclide.values[order[k]])
                panel.text(
                    own.pressure[middle], below[k, middle] - x[middle] / 2, name, ha="center", va="center", fontsize=7
                )
        panel.set_xscale("log")
        panel.set_xlim(float(own.pressure[0]), float(own.pressure[-1]))
        panel.set_ylim(0, 1)
        panel.set_ylabel("mass fraction")
        panel.set_title(f"{own.mass_model.values}; grey: free neutrons", fontsize="medium", loc="left")
    panels[-1].set_xlabel("pressure  $P$  (dyn cm$^{-2}$)")
    return figure


def default_kind(ds: xr.Dataset) -> str:
    """The kind of figure that suits a dataset: shares of samples, a map, profiles, or layers."""
    if ds.sizes["sample"] > 2:
        return "probability"
    if ds.sizes["g"] > 1 and ds.sizes["mdot"] > 1 and np.any(_mapped(ds.max_J_ratio) > 0):
        return "map"
    return "profile" if "mu_e" in ds and ds.sizes["member"] <= 2 * ds.sizes["mass_model"] else "layers"


KINDS: dict[str, Callable[[xr.Dataset], Figure]] = {
    "profile": plot_profiles,
    "map": plot_map,
    "layers": plot_layers,
    "probability": plot_probability,
    "composition": plot_composition,
}
"""Kinds of figure by name: functions of a dataset, which raise ValueError where it has not what the figure shows."""
