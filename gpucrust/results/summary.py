"""A result in a few numbers: where diffusion equilibrium breaks, from its layers alone."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from gpucrust.profiles.ragged import counted
from gpucrust.schema import AXES, Regime
from gpucrust.status import Status

HAS_RESULT = (Status.OK, Status.SWITCHED_TO_MIXED)
"""Ends of members that have a result."""
INNER_CRUST = 3e29
"""Pressure at which figures of the inner crust begin, dyn cm^-2."""


def axis_text(ds: xr.Dataset, axis: str, few: int) -> str:
    """The values of an axis; of more than `few` numbers, the ends."""
    values = ds[axis].values
    if values.dtype.kind in "UOT":
        return ", ".join(map(str, values))
    return ", ".join(f"{v:.4g}" for v in values) if values.size <= few else f"{values[0]:.4g} to {values[-1]:.4g}"


def axes_of(ds: xr.Dataset) -> list[str]:
    """The axes of a result, pressure included."""
    return [str(d) for d in ds.sizes if d in ds.coords and d != "nuclide"]


def first_shown(ds: xr.Dataset) -> float:
    """Pressure at which figures begin, dyn cm^-2: the inner crust where there is one."""
    first, last = float(ds.pressure[0]), float(ds.pressure[-1])
    return max(INNER_CRUST, first) if last > 10 * INNER_CRUST else first


def mass_model_of_member(ds: xr.Dataset) -> np.ndarray:
    """(member,) index of the mass model; members count through the axes, the last fastest."""
    return np.arange(ds.sizes["member"]) // (ds.sizes["member"] // ds.sizes["mass_model"])


def has_result(ds: xr.Dataset) -> np.ndarray:
    """(member,) whether a member ended with a result."""
    good = ds.status.isin([int(s) for s in HAS_RESULT])
    return good.broadcast_like(_all_axes(ds)).transpose(*AXES).values.ravel()


def _all_axes(ds: xr.Dataset) -> xr.DataArray:
    return xr.DataArray(np.zeros([ds.sizes[d] for d in AXES]), dims=AXES)


def regimes_at(ds: xr.Dataset, pressures: np.ndarray) -> np.ndarray:
    """(member, pressure) regime by the layers: Regime.EQUILIBRIUM outside all of them.

    pressures: increasing, dyn cm^-2. At one where a layer ends and another begins it is that of the deeper.
    """
    regime = np.full((ds.sizes["member"], len(pressures)), int(Regime.EQUILIBRIUM), np.int8)
    first = np.searchsorted(pressures, ds.layer_P_start.values)
    counts = np.searchsorted(pressures, ds.layer_P_end.values, side="right") - first
    places = np.repeat(ds.layer_member.values.astype(int) * len(pressures) + first, counts) + counted(counts)
    regime.ravel()[places] = np.repeat(ds.layer_regime.values, counts)
    return regime


def broken_probability(ds: xr.Dataset, pressures: np.ndarray, kinds: tuple[Regime, ...] = ()) -> xr.DataArray:
    """Share of the members of each mass model that are out of diffusion equilibrium at each pressure.

    kinds: count only layers of these regimes; empty, all of them. Jumps at one pressure have no extent. Members without
    a result do not count; a model that has none with a result gets NaN. Returns (mass_model, pressure), pressures in
    dyn cm^-2.
    """
    regime = regimes_at(ds, pressures)
    broken = np.isin(regime, kinds) if kinds else regime != Regime.EQUILIBRIUM
    good, model = has_result(ds), mass_model_of_member(ds)
    share = np.full((ds.sizes["mass_model"], len(pressures)), np.nan)
    for i in range(len(share)):
        own = good & (model == i)
        if own.any():
            share[i] = broken[own].mean(axis=0)
    return xr.DataArray(
        share,
        dims=("mass_model", "pressure"),
        coords={"mass_model": ds.mass_model.values, "pressure": pressures},
        attrs={"units": "1", "long_name": "share of members out of diffusion equilibrium"},
    )


def mean_flux_ratio(ds: xr.Dataset) -> xr.DataArray:
    """Mean by depth of |J_n|/J_acc in the layers of each member, on all axes; 0 without any, NaN without a result."""
    n = ds.sizes["member"]
    member, thickness = ds.layer_member.values, ds.layer_thickness.values
    total = np.bincount(member, weights=np.abs(ds.layer_J_n.values) * thickness, minlength=n)
    depth = np.bincount(member, weights=thickness, minlength=n)
    mean = np.divide(total, depth, out=np.zeros(n), where=depth > 0)
    every = _all_axes(ds)
    return every.copy(data=np.where(has_result(ds), mean, np.nan).reshape(every.shape)) / ds.J_acc


@dataclass(frozen=True)
class ModelSummary:
    """One mass model over all other axes; ranges are (least, largest) over members with a result."""

    mass_model: str
    """Its name."""
    members: int
    """Members with it."""
    failed: int
    """Those of them that have no result."""
    falling: int
    """Those of them with a layer in which mu_e falls."""
    thickness: tuple[float, float]
    """Thickness of all layers out of diffusion equilibrium, m."""
    flux: tuple[float, float]
    """Largest J_n/J_acc in them."""
    heat: tuple[float, float]
    """Heat released, MeV per baryon."""


def by_mass_model(ds: xr.Dataset) -> list[ModelSummary]:
    """A summary of each mass model."""
    good, model = has_result(ds), mass_model_of_member(ds)
    falling = np.unique(ds.layer_member.values[ds.layer_regime.values == Regime.DECREASING])
    summaries = []
    for i, name in enumerate(ds.mass_model.values):
        own = ds.isel(mass_model=i)
        summaries.append(
            ModelSummary(
                mass_model=str(name),
                members=int(np.sum(model == i)),
                failed=int(np.sum((model == i) & ~good)),
                falling=int(np.sum(model[falling] == i)),
                thickness=_range(own.broken_thickness),
                flux=_range(own.max_J_ratio),
                heat=_range(own.total_heat),
            )
        )
    return summaries


def _range(values: xr.DataArray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def show_range(values: tuple[float, float]) -> str:
    """ "1.2 to 3.4", or one number where both are the same to three digits."""
    low, high = (f"{x:.3g}" for x in values)
    return low if low == high else f"{low} to {high}"


def member_label(ds: xr.Dataset, member: int) -> str:
    """What sets a member apart: its values on axes with more than one, and always its mass model."""
    place = np.unravel_index(member, [ds.sizes[d] for d in AXES])
    shown = []
    for axis, i in zip(AXES, place, strict=True):
        value = ds[axis].values[i]
        if axis == "mass_model" or (ds.sizes[axis] > 1 and ds[axis].dtype.kind in "UO"):
            shown.append(str(value))
        elif ds.sizes[axis] > 1:
            shown.append(f"{axis} {value:.3g}")
    return ", ".join(shown)


def count_statuses(ds: xr.Dataset) -> dict[Status, int]:
    """How many members ended how; several members may share one evolution, and so one entry of `status`."""
    counts = np.bincount(ds.status.values.ravel(), minlength=len(Status)) * (ds.sizes["member"] // ds.status.size)
    return {status: int(counts[status]) for status in Status}


def failures(ds: xr.Dataset) -> list[tuple[Status, int]]:
    """Every status but OK that members ended with, and how many."""
    return [(status, n) for status, n in count_statuses(ds).items() if n and status != Status.OK]
