"""Figures of a dataset. Colours: Okabe & Ito's, told apart by colour-blind readers and in print."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
INNER_CRUST = 3e29  # dyn cm^-2, where panels begin


def write_figure(figure: Figure, path: Path) -> None:
    """Save as the suffix says, 200 dots per inch."""
    figure.savefig(path, dpi=200, metadata={"Software": "gpucrust"} if path.suffix == ".png" else None)


def first_member(ds: xr.Dataset) -> xr.Dataset:
    """The first value along every axis but mass_model and pressure."""
    return ds.isel({d: 0 for d in ("ash", "pycno_log10_scale", "sample", "g", "mdot") if d in ds.dims})


def plot_profiles(ds: xr.Dataset) -> Figure:
    """mu_e(P) of the first member of each mass model, a panel a model (CS20 figure 1)."""
    member = first_member(ds)
    n = ds.sizes["mass_model"]
    figure = Figure(figsize=(6.4, 0.6 + 2.4 * n), layout="constrained")
    panels = figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]
    for panel, model in zip(panels, ds.mass_model.values, strict=True):
        _draw_profile(panel, member.sel(mass_model=model), str(model))
    panels[-1].set_xlabel("pressure  $P$  (dyn cm$^{-2}$)")
    return figure


def _draw_profile(panel: Axes, member: xr.Dataset, title: str) -> None:
    shown = member.where(member.pressure >= INNER_CRUST, drop=True)
    if not np.any(np.isfinite(shown.mu_e)):
        shown = member
    panel.plot(shown.pressure, shown.mu_e, color=BLACK, lw=1.2, ls="--", label="accreted")
    panel.set_xscale("log")
    panel.set_ylabel(r"$\mu_e$  (MeV)")
    panel.set_title(title, loc="left", fontsize="medium")


KINDS: dict[str, Callable[[xr.Dataset], Figure]] = {"profile": plot_profiles}
