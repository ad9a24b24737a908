"""The part of the dataset on layers out of diffusion equilibrium: a ragged array over members, and its summaries."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from gpucrust.physics import diffusion
from gpucrust.profiles.reduced import Records, take
from gpucrust.schema import AXES, LAYER, NO_RESULT, SUMMARY, Regime
from gpucrust.sweep.plan import Block, Plan

REGIME: dict[str, Any] = {
    "flag_values": np.array([NO_RESULT, *(int(r) for r in Regime)], np.int8),
    "flag_meanings": "no_result " + " ".join(r.name.lower() for r in Regime),
}


def axis_in(plan: Plan, name: str, block: Block) -> xr.DataArray:
    """The values of the axis g or mdot in a block."""
    return xr.DataArray(np.asarray(getattr(plan.sweep.axes, name), float)[block[AXES.index(name)]], dims=name)


def add_layers(ds: xr.Dataset, plan: Plan, records: Records, place: np.ndarray, block: Block) -> xr.Dataset:
    """Layers of the members, a CF contiguous ragged array; their thickness, and the largest flux ratio within.

    place: (mass_model, ash, pycno_log10_scale, sample, g, mdot) where in `records` a member is.
    """
    cut = plan.sweep.output.layer_cut
    n = place.size
    first = int(np.ravel_multi_index([s.start for s in block], plan.shape))
    g, mdot = (axis_in(plan, name, block).values for name in ("g", "mdot"))
    g_of = np.broadcast_to(g[:, None], place.shape).ravel()
    mine = take(records, place.ravel())
    regime, P_start, P_end, thickness_g, J_n, mean_J_n = mine.layers.T
    assert len(LAYER) == mine.layers.shape[1]
    member = np.repeat(np.arange(n), mine.layer_count)
    thickness = thickness_g / g_of[member] / 100
    # jumps of mu_e have no thickness
    kept = (thickness >= cut) | (P_start == P_end)
    member, thickness = member[kept], thickness[kept]
    largest = np.zeros(n)
    np.maximum.at(largest, member, J_n[kept])
    failed = np.isnan(mine.summary[:, SUMMARY.index("total_heat")])
    broken = np.where(failed, np.nan, np.bincount(member, weights=thickness, minlength=n)).reshape(place.shape)
    flux = np.where(failed, np.nan, largest * g_of).reshape(place.shape)
    with jax.enable_x64(True):
        ratio = flux / np.asarray(diffusion.accretion_flux(mdot))
    unused = {} if plan.sweep.physics.pycno else {"pycno_log10_scale": 0}
    comment = f"layers of {cut:g} m or more, and jumps of mu_e at one pressure"
    ds["broken_thickness"] = (
        xr.DataArray(broken, dims=AXES)
        .isel(unused and {**unused, "mdot": 0})
        .assign_attrs(units="m", long_name="thickness of all layers out of diffusion equilibrium", comment=comment)
    )
    ds["max_J_ratio"] = (
        xr.DataArray(ratio, dims=AXES)
        .isel(unused)
        .assign_attrs(units="1", long_name="largest J_n over J_acc, by size, in layers out of diffusion equilibrium")
    )
    order = ", ".join(f"{name} ({size})" for name, size in zip(AXES, plan.shape, strict=True))
    number = np.int32 if plan.n_members <= 2**31 else np.int64
    pressure = {"units": "dyne cm-2"}
    variables: dict[str, tuple[str, np.ndarray, dict[str, Any]]] = {
        "layer_count": (
            "member",
            np.bincount(member, minlength=n).astype(np.int32),
            {"sample_dimension": "layer", "long_name": "number of layers of each member", "units": "1"},
        ),
        "layer_member": (
            "layer",
            (first + member).astype(number),
            {
                "units": "1",
                "long_name": "member that a layer belongs to",
                "comment": f"members count through {order}, last fastest",
            },
        ),
        "layer_regime": ("layer", regime[kept].astype(np.int8), {"long_name": "regime of a layer", **REGIME}),
        "layer_P_start": (
            "layer",
            P_start[kept],
            {"units": "dyne cm-2", "long_name": "pressure at the top of a layer"},
        ),
        "layer_P_end": ("layer", P_end[kept], {**pressure, "long_name": "pressure at the bottom of a layer"}),
        "layer_thickness": (
            "layer",
            thickness,
            {"units": "m", "long_name": "thickness of a layer", "comment": comment},
        ),
        "layer_J_n": (
            "layer",
            mean_J_n[kept] * g_of[member],
            {
                "units": "cm-2 s-1",
                "long_name": "mean of J_n in a layer, outwards, eq. 10",
                "comment": "by depth, over the recorded pressures within; 0 without any",
            },
        ),
    }
    return ds.assign({name: xr.Variable(*parts) for name, parts in variables.items()})
