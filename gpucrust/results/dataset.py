"""The dataset, put together from reduced evolutions, a block of members at a time. `gpucrust.schema` has its names.

Without fusion neither its scale nor g nor mdot matters to a composition, and profiles lack those dimensions; what
depends on g or mdot alone has only that dimension.
"""

import datetime
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import xarray as xr

from gpucrust.constants import RHO_PER_N_B
from gpucrust.engine.evolution import Evolution
from gpucrust.nuclide import nuclide_N, nuclide_name, nuclide_Z
from gpucrust.physics import diffusion
from gpucrust.physics.ground_state import GroundState
from gpucrust.profiles.ground_states import ground_states
from gpucrust.profiles.reduced import ReducedEvolutions
from gpucrust.profiles.reduction import reduce_evolutions
from gpucrust.results.ground_state_variables import ground_state_variables
from gpucrust.results.layer_variables import axis_in, layer_variables
from gpucrust.schema import (
    AXES,
    COMPOSITION,
    COORDINATES,
    CS20,
    LEAST_MASS_FRACTION,
    MEMBERS,
    NUCLIDE_COORDINATES,
    PROFILES,
    SHARED,
    ProfileColumns,
    SummaryColumns,
    columns_of,
)
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.portions import Block
from gpucrust.sweep.provenance import identity
from gpucrust.version import __version__


@dataclass(frozen=True)
class RunInfo:
    """How a dataset came about."""

    device: str
    """What JAX computed on."""
    wall_time: float
    """Time that it took, s."""
    log: tuple[str, ...] = ()
    """What happened before it was written, a line each."""


def build_dataset(plan: Plan, evolution: Evolution, info: RunInfo) -> xr.Dataset:
    """The dataset of a plan all of whose evolutions have been computed."""
    return dataset_of(plan, reduce_evolutions(plan, evolution), info, ground_states(plan))


def dataset_of(plan: Plan, reduced: ReducedEvolutions, info: RunInfo, ground: list[GroundState]) -> xr.Dataset:
    """The dataset of all evolutions of a plan, reduced, and its ground states."""
    everyone: Block = tuple(slice(0, n) for n in plan.shape)
    nuclides = nuclides_kept([reduced])
    shared = shared_variables(plan, info, nuclides, ground)
    ds = member_variables(plan, reduced, np.arange(plan.n_evolutions), everyone, nuclides)
    return shared.assign({name: ds[name].variable for name in ds.data_vars})


# --- what all members share


def shared_variables(plan: Plan, info: RunInfo, nuclides: np.ndarray | None, ground: list[GroundState]) -> xr.Dataset:
    """Coordinates, what depends on them alone, the ground states, and the global attributes."""
    a = plan.sweep.axes
    values = {
        "mass_model": np.array([model.name for model in plan.models], object),
        "ash": np.array(a.ash, object),
        "pycno_log10_scale": np.asarray(a.pycno_log10_scale, float),
        "sample": np.arange(a.sample, dtype=np.int32),
        "g": np.asarray(a.g, float),
        "mdot": np.asarray(a.mdot, float),
        "pressure": plan.pressures,
    }
    ds = xr.Dataset(coords={name: xr.Variable(name, data, COORDINATES[name]) for name, data in values.items()})
    if nuclides is not None:
        ds = ds.assign_coords(_nuclide_coordinates(nuclides))
    with jax.enable_x64(True):
        variables = {"J_acc": np.asarray(diffusion.accretion_flux(values["mdot"]))}
    if plan.sweep.output.profiles:
        variables["column_depth"] = plan.pressures / values["g"][:, None]
    ds = ds.assign({name: (SHARED[name].dims, data, SHARED[name].attributes) for name, data in variables.items()})
    return ds.assign(ground_state_variables(ground)).assign_attrs(_global_attributes(plan, info))


def _nuclide_coordinates(codes: np.ndarray) -> dict[str, xr.Variable]:
    Z, N = nuclide_Z(codes), nuclide_N(codes)
    names = [nuclide_name(*zn) for zn in zip(Z.tolist(), N.tolist(), strict=True)]
    values = {"nuclide": np.array(names, object), "nuclide_Z": Z, "nuclide_A": Z + N}
    return {name: xr.Variable("nuclide", data, NUCLIDE_COORDINATES[name]) for name, data in values.items()}


def _global_attributes(plan: Plan, info: RunInfo) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    citations = "; ".join(dict.fromkeys(part for model in plan.models for part in model.citation.split("; ")))
    return {
        "Conventions": "CF-1.11",
        "title": plan.sweep.title or "Crusts of accreting neutron stars",
        "history": "\n".join([*info.log, f"{now} computed by gpucrust {__version__}"]),
        "references": f"{CS20}. Masses: {citations}",
        "comment": "Nuclear volume and the dependence of masses on the density of free neutrons are neglected (CS20).",
        **identity(plan),
        "jax_version": jax.__version__,
        "device": info.device,
        "platform": platform.platform(),
        "wall_time_seconds": round(info.wall_time, 3),
    }


# --- members


def member_variables(
    plan: Plan, reduced: ReducedEvolutions, numbers: np.ndarray, block: Block, nuclides: np.ndarray | None
) -> xr.Dataset:
    """The variables of a block of members.

    numbers: (n,) increasing numbers of the reduced evolutions, which include the block's; nuclides: codes of those in
    `composition`, None without it.
    """
    evolutions = plan.evolutions_in(block)
    place = np.searchsorted(numbers, evolutions)
    index = xr.DataArray(place, dims=AXES)
    if not plan.sweep.physics.pycno:
        index = index.isel(pycno_log10_scale=0, g=0, mdot=0)
    ds = xr.Dataset()
    summary = columns_of(SummaryColumns, reduced.summary)
    for name, values in {"status": reduced.status, **summary._asdict()}.items():
        variable = MEMBERS[name]
        ds[name] = _by_member(values.astype(variable.dtype), index, variable.attributes)
    if reduced.profiles is not None:
        ds = ds.assign(_profiles(plan, columns_of(ProfileColumns, reduced.profiles), index, block))
    if nuclides is not None and reduced.nuclides is not None:
        attributes = COMPOSITION["composition"].attributes
        ds["composition"] = _by_member(_fractions(reduced, nuclides), index, attributes, "pressure", "nuclide")
    return ds.assign(layer_variables(plan, reduced, place, block))


def _by_member(values: np.ndarray, index: xr.DataArray, attributes: Mapping[str, Any], *more: str) -> xr.DataArray:
    """Values of evolutions, (n, *more), as those of members; index: (AXES, or fewer) the evolution of each."""
    return xr.DataArray(values, dims=("evolution", *more)).isel(evolution=index).assign_attrs(attributes)


def _profiles(plan: Plan, kept: ProfileColumns, index: xr.DataArray, block: Block) -> dict[str, xr.DataArray]:
    """Profiles of members by name, from those that are kept of evolutions."""
    g = axis_in(plan, "g", block)
    with jax.enable_x64(True):
        J_acc = xr.DataArray(np.asarray(diffusion.accretion_flux(axis_in(plan, "mdot", block).values)), dims="mdot")
    values = {name: _by_member(column, index, {}, "pressure") for name, column in kept._asdict().items()}
    values["rho"] = values["n_b"] * RHO_PER_N_B
    values["dmu_e_dP"] = values["equilibrium_ratio"] * values["dmu_e_dP_nodiff"]
    values["f_in"] = values.pop("f_in_over_g") * g
    values["J_n"] = values.pop("J_n_over_g") * g
    values["J_ratio"] = values["J_n"] / J_acc
    values["depth"] = values.pop("depth_times_g") / g / 100
    profiles = {}
    for name, variable in PROFILES.items():
        order = [d for d in variable.dims if d in values[name].dims]
        typed = values[name].transpose(*order).astype(variable.dtype, copy=False)
        profiles[name] = typed.assign_attrs(variable.attributes)
    return profiles


def nuclides_kept(parts: Iterable[ReducedEvolutions]) -> np.ndarray | None:
    """Codes of the nuclides that somewhere exceed LEAST_MASS_FRACTION, increasing; None without compositions."""
    found: set[int] = set()
    for part in parts:
        if part.nuclides is None or part.abundances is None:
            return None
        exceeds = np.nan_to_num(_mass_number(part.nuclides) * part.abundances) > LEAST_MASS_FRACTION
        found.update(np.unique(part.nuclides[exceeds]).tolist())
    return np.array(sorted(found), np.int64)


def _mass_number(codes: np.ndarray) -> np.ndarray:
    return nuclide_Z(codes) + nuclide_N(codes)


def _fractions(reduced: ReducedEvolutions, nuclides: np.ndarray) -> np.ndarray:
    """Mass fractions, (evolution, pressure, nuclide)."""
    codes, abundances = reduced.nuclides, reduced.abundances
    assert codes is not None
    assert abundances is not None
    X = _mass_number(codes) * abundances
    fractions = np.empty((*X.shape[:-1], len(nuclides)))  # none of them, if no member has a result
    for i, code in enumerate(nuclides):
        fractions[..., i] = np.sum(np.where(codes == code, X, 0.0), axis=-1)
    fractions[np.isnan(abundances[..., 0])] = np.nan
    return fractions
