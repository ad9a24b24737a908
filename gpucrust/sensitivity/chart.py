"""The chart that says which masses to measure: what each leaves uncertain in an output, over Z and N."""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from gpucrust.masses import packaged_table
from gpucrust.results.plots import BLACK, GREY, VERMILION
from gpucrust.sensitivity.rankings import ranking

DECADES = 3
"""Decades of the colour scale: nuclides that count for less than a thousandth of the most telling one are not shown."""
LABELLED = 8
"""Most nuclides whose names are written."""
NOTHING = 1e-6
"""Part of the largest derivative below which a measured mass does not count as one that matters."""
SQUARE, DOT = 46, 30
"""Areas of marks, in square points: a square is as large as the distance between nuclides."""
CLOSE = 4
"""Neutrons between labelled nuclides of one element below which their names would overlap on one side."""
FLOOR = 10.0**-DECADES
"""Part of the largest contribution that the colour scale begins at."""


def plot_chart(ds: xr.Dataset, output: int) -> Figure:
    """Nuclides by what their mass errors do to an output: |derivative| times sigma, root mean square over members.

    Framed: the error is larger than the margin, another sequence of reactions within reach. Grey dots: the mass is
    measured and counts as exact; the output depends on it all the same.
    """
    product = np.nan_to_num(ds.contribution.isel(output=output).values)
    size = np.sqrt(np.mean(product**2, axis=0))
    slope = np.max(np.abs(np.nan_to_num(ds.derivative.isel(output=output).values)), axis=0)
    largest = size.max()
    shown = size > (largest * FLOOR if largest > 0 else np.inf)
    measured = (size == 0) & (slope > NOTHING * slope.max())
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    if measured.any():
        places = ds.nuclide_N.values[measured], ds.nuclide_Z.values[measured]
        axes.scatter(*places, marker=".", s=DOT, color=GREY, label="measured, and matters", zorder=2)
    if shown.any():
        _draw_contributions(figure, axes, ds, output, np.where(shown, size, 0.0))
    of_interest = shown | measured
    _draw_edge(axes, ds, ds.nuclide_Z.values[of_interest] if of_interest.any() else ds.nuclide_Z.values)
    _dress(axes, ds, output)
    return figure


def _draw_contributions(figure: Figure, axes: Axes, ds: xr.Dataset, output: int, size: np.ndarray) -> None:
    """Squares for nuclides by the size of their contribution, (nuclides,), 0 for those that are not shown."""
    order = np.argsort(size)
    order = order[size[order] > 0]
    framed = np.any(ds.beyond_margin.values != 0, axis=0)[order]
    marks = axes.scatter(
        ds.nuclide_N.values[order],
        ds.nuclide_Z.values[order],
        c=size[order],
        marker="s",
        s=SQUARE,
        cmap="viridis_r",
        norm=LogNorm(size.max() * FLOOR, size.max()),
        edgecolors=[VERMILION if x else "none" for x in framed],
        linewidths=1.0,
        zorder=3,
    )
    units = str(ds.output_units.values[output])
    unit = "" if units == "1" else f"  ({units})"
    figure.colorbar(marks, ax=axes, label=f"|derivative| × mass error{unit}")
    _label(axes, ds, output)
    axes.scatter([], [], marker="s", s=SQUARE, facecolor="none", edgecolor=VERMILION, label="error beyond the margin")


def _dress(axes: Axes, ds: xr.Dataset, output: int) -> None:
    """Limits, ticks, labels, title and legend."""
    axes.margins(0.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("neutron number  $N$")
    axes.set_ylabel("charge number  $Z$")
    axes.set_axisbelow(True)
    axes.grid(color=GREY, alpha=0.25, lw=0.5)
    n = ds.sizes["member"]
    of = f", {n} members" if n > 1 else f", {ds.mass_model.values[0]}"
    axes.set_title(f"Masses that decide {ds.output.values[output]}{of}", fontsize="medium")
    axes.legend(loc="lower right", frameon=False, fontsize="small")


def _draw_edge(axes: Axes, ds: xr.Dataset, Z: np.ndarray) -> None:
    """The most neutron-rich measured nuclide of each element."""
    ame = json.loads(ds.attrs["sweep"])["physics"]["ame"]
    table = packaged_table(ame)
    elements = np.arange(max(Z.min() - 2, 2), Z.max() + 3)
    edge = [table.N[table.Z == z].max() + 0.5 for z in elements]
    axes.stairs(
        edge, np.append(elements, elements[-1] + 1) - 0.5, orientation="horizontal", color=GREY, lw=1.2, baseline=None
    )
    axes.plot([], [], color=GREY, lw=1.2, label=f"measured to here ({ame})")


def _label(axes: Axes, ds: xr.Dataset, output: int) -> None:
    """Names of the first few; of neighbours in a row the first to the left."""
    top = {row.name for row in ranking(ds, output, LABELLED)}
    places = zip(ds.nuclide_Z.values.tolist(), ds.nuclide_N.values.tolist(), ds.nuclide.values, strict=True)
    labelled = [(Z, N, name) for Z, N, name in places if name in top]
    for Z, N, name in labelled:
        left = any(z == Z and 0 < n - N < CLOSE for z, n, _ in labelled)
        axes.annotate(
            name,
            (N, Z),
            xytext=(-7 if left else 7, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize="small",
            color=BLACK,
            zorder=4,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
