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
from gpucrust.sensitivity.dataset import ranking

DECADES = 3
"""Of the colour scale, below the largest."""
LABELLED = 8


def plot_chart(ds: xr.Dataset, output: int) -> Figure:
    """Nuclides by what their mass errors do to an output: |derivative| times sigma, root mean square over members.

    Framed: the error is larger than the margin, another sequence of reactions within reach. Grey dots: the mass is
    measured and counts as exact; the output depends on it all the same.
    """
    product = np.nan_to_num(ds.contribution.isel(output=output).values)
    size = np.sqrt(np.mean(product**2, axis=0))
    slope = np.max(np.abs(np.nan_to_num(ds.derivative.isel(output=output).values)), axis=0)
    Z, N = ds.nuclide_Z.values, ds.nuclide_N.values
    units = str(ds.output_units.values[output])
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    largest = size.max()
    shown = size > (largest * 10.0**-DECADES if largest > 0 else np.inf)
    measured = (size == 0) & (slope > 1e-6 * slope.max())
    if measured.any():
        axes.scatter(N[measured], Z[measured], marker=".", s=30, color=GREY, label="measured, and matters", zorder=2)
    if shown.any():
        order = np.argsort(size[shown])
        framed = np.any(ds.beyond_margin.values != 0, axis=0)[shown][order]
        marks = axes.scatter(
            N[shown][order],
            Z[shown][order],
            c=size[shown][order],
            marker="s",
            s=46,
            cmap="viridis_r",
            norm=LogNorm(largest * 10.0**-DECADES, largest),
            edgecolors=[VERMILION if x else "none" for x in framed],
            linewidths=1.0,
            zorder=3,
        )
        unit = "" if units == "1" else f"  ({units})"
        figure.colorbar(marks, ax=axes, label=f"|derivative| × mass error{unit}")
        _label(axes, ds, output)
        axes.scatter([], [], marker="s", s=46, facecolor="none", edgecolor=VERMILION, label="error beyond the margin")
    _draw_edge(axes, ds, Z[shown | measured] if np.any(shown | measured) else Z)
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
    return figure


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
    names = list(ds.nuclide.values)
    places = [(int(ds.nuclide_Z[k]), int(ds.nuclide_N[k]), k) for k in range(len(names))]
    top = [row.name for row in ranking(ds, output, LABELLED)]
    labelled = [place for place in places if names[place[2]] in top]
    for Z, N, k in labelled:
        left = any(z == Z and 0 < n - N < 4 for z, n, _ in labelled)
        axes.annotate(
            names[k],
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
