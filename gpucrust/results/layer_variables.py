"""The part of the dataset on layers out of diffusion equilibrium: a ragged array over members, and its summaries."""

from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from gpucrust.physics import diffusion
from gpucrust.profiles.reduced import ReducedEvolutions, take
from gpucrust.schema import AXES, LAYERS, MEMBERS, LayerColumns, SummaryColumns, columns_of
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.portions import Block


class _Kept(NamedTuple):
    """The layers of a block of members that are not left out, and what is known of the members."""

    member: np.ndarray  # (layers,) number within the block
    layers: LayerColumns  # (layers,) each
    thickness: np.ndarray  # (layers,) m
    g: np.ndarray  # (members,) cm s^-2
    failed: np.ndarray  # (members,)


def axis_in(plan: Plan, name: str, block: Block) -> xr.DataArray:
    """The values of the axis g or mdot in a block."""
    return xr.DataArray(np.asarray(getattr(plan.sweep.axes, name), float)[block[AXES.index(name)]], dims=name)


def layer_variables(
    plan: Plan, reduced: ReducedEvolutions, place: np.ndarray, block: Block
) -> dict[str, xr.DataArray | xr.Variable]:
    """Layers of a block of members, by name of variable; their thickness together, and the largest flux ratio within.

    place: (mass_model, ash, pycno_log10_scale, sample, g, mdot) where among the reduced evolutions a member's is.
    """
    kept = _kept(plan, take(reduced, place.ravel()), place.shape, block)
    return {**_summaries(plan, kept, place.shape, block), **_ragged(plan, kept, block)}


def _kept(plan: Plan, mine: ReducedEvolutions, shape: tuple[int, ...], block: Block) -> _Kept:
    """Layers of the members that have these evolutions, (members,) in order, but for the thin ones."""
    member = np.repeat(np.arange(len(mine)), mine.layer_count)
    layers = columns_of(LayerColumns, mine.layers)
    g = np.broadcast_to(axis_in(plan, "g", block).values[:, None], shape).ravel()
    thickness = layers.thickness_times_g / g[member] / 100
    # jumps of mu_e have no thickness
    kept = (thickness >= plan.sweep.output.layer_cut) | (layers.P_start == layers.P_end)
    failed = np.isnan(columns_of(SummaryColumns, mine.summary).total_heat)
    return _Kept(member[kept], LayerColumns(*(column[kept] for column in layers)), thickness[kept], g, failed)


def _summaries(plan: Plan, kept: _Kept, shape: tuple[int, ...], block: Block) -> dict[str, xr.DataArray]:
    """A number a member: thickness of its layers together, and the largest of their flux ratios."""
    n = len(kept.g)
    broken = np.bincount(kept.member, weights=kept.thickness, minlength=n)
    largest = np.zeros(n)
    np.maximum.at(largest, kept.member, kept.layers.J_n_over_g)
    broken, flux = (np.where(kept.failed, np.nan, x).reshape(shape) for x in (broken, largest * kept.g))
    with jax.enable_x64(True):
        ratio = flux / np.asarray(diffusion.accretion_flux(axis_in(plan, "mdot", block).values))
    without = {} if plan.sweep.physics.pycno else {"pycno_log10_scale": 0}  # and thickness depends on g alone
    summaries = {
        "broken_thickness": xr.DataArray(broken, dims=AXES).isel(without and {**without, "mdot": 0}),
        "max_J_ratio": xr.DataArray(ratio, dims=AXES).isel(without),
    }
    return {name: x.assign_attrs(_attributes(plan, name)) for name, x in summaries.items()}


def _ragged(plan: Plan, kept: _Kept, block: Block) -> dict[str, xr.Variable]:
    """The layers themselves, those of one member after those of another."""
    first = int(np.ravel_multi_index([s.start for s in block], plan.shape))
    values = {
        "layer_count": np.bincount(kept.member, minlength=len(kept.g)),
        "layer_member": first + kept.member,
        "layer_regime": kept.layers.regime,
        "layer_P_start": kept.layers.P_start,
        "layer_P_end": kept.layers.P_end,
        "layer_thickness": kept.thickness,
        "layer_J_n": kept.layers.mean_J_n_over_g * kept.g[kept.member],
    }
    types = {name: variable.dtype for name, variable in LAYERS.items()}
    if plan.n_members > 2**31:
        types["layer_member"] = np.int64
    return {
        name: xr.Variable(variable.dims, values[name].astype(types[name]), _attributes(plan, name))
        for name, variable in LAYERS.items()
    }


def _attributes(plan: Plan, name: str) -> dict[str, Any]:
    """Attributes of a variable, with what its comment says of this sweep."""
    order = ", ".join(f"{axis} ({size})" for axis, size in zip(AXES, plan.shape, strict=True))
    return {**MEMBERS, **LAYERS}[name].attributes_with(layer_cut=plan.sweep.output.layer_cut, axes=order)
