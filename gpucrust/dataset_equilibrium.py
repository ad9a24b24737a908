"""The part of the dataset that says where diffusion equilibrium breaks: slopes, regimes, friction, flux, layers.

A composition is analysed once; g and mdot enter by broadcasting.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from gpucrust import diffusion, eos
from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.ensemble import Evolution, sweep_settings
from gpucrust.ground_state import ground_state
from gpucrust.layers import (
    Layers,
    Regime,
    depth_times_g,
    equilibrium_ratio_profile,
    find_layers,
    pieces_between_jumps,
    pieces_of,
    pieces_of_slides,
    thickness_times_g,
)
from gpucrust.slopes import frozen_slope

if TYPE_CHECKING:
    from gpucrust.sweep import Plan

NO_RESULT = -1
MEMBER_AXES = ("mass_model", "ash", "pycno_log10_scale", "sample", "g", "mdot")


@dataclass(frozen=True)
class Analysis:
    """Where equilibrium breaks in every evolution: arrays (evolution, pressure), lists by evolution."""

    nodiff: np.ndarray  # MeV/(dyn cm^-2)
    ratio: np.ndarray
    regime: np.ndarray  # int8
    depth_g: np.ndarray  # depth times g, cm^2 s^-2
    layers: list[Layers]  # not those in equilibrium; empty for a member that failed
    thickness_g: list[np.ndarray]  # of the layers, times g, cm^2 s^-2


def analyse(plan: "Plan", evolution: Evolution) -> Analysis:
    """Slopes, regimes and layers of all evolutions. float64 must be on."""
    p, P = evolution.profiles, plan.pressures
    matter = sweep_settings(plan.physics, plan.stepper).matter
    n_b, Y_e, Y_n = p["n_b"], p["Y_e"], p["Y_n"]
    mu_e = np.asarray(eos.electron_chemical_potential(n_b * Y_e))
    nodiff = np.asarray(diffusion.nodiff_slope((1 - Y_n), Y_e, n_b)) / DYN_PER_CM2
    mixture = eos.Mixture(Y_e, Y_n, p["Y_z53"])
    frozen = np.asarray(frozen_slope(n_b, mixture, matter)) / DYN_PER_CM2
    ratio, depth_g = np.full_like(n_b, np.nan), np.full_like(n_b, np.nan)
    regime = np.full(n_b.shape, NO_RESULT, np.int8)
    layers, thickness_g = [], []
    none = Layers(np.empty(0, np.int8), np.empty(0), np.empty(0))
    for i in range(len(n_b)):
        if np.isnan(n_b[i, 0]):
            layers.append(none)
            thickness_g.append(np.empty(0))
            continue
        own = {name: p[name][i] for name in ("segment", "P_threshold", "mu_e_threshold")}
        if plan.physics.one_component:
            pieces = pieces_between_jumps(P, mu_e[i], evolution.segments[i])
        elif plan.stepper.engine == "slide":
            pieces = pieces_of_slides(P, mu_e[i], evolution.segments[i])
        else:
            pieces = pieces_of(P, mu_e[i], own, evolution.segments[i])
        found = find_layers(pieces, P, nodiff[i])
        ratio[i] = equilibrium_ratio_profile(pieces, P, nodiff[i], frozen[i])
        regime[i] = found.regime[np.searchsorted(found.P_start, P, side="right") - 1]
        rho = n_b[i] * RHO_PER_N_B
        depth_g[i] = depth_times_g(P, rho)
        broken = found.regime != Regime.EQUILIBRIUM
        thickness_g.append(thickness_times_g(found, P, rho)[broken])
        layers.append(Layers(found.regime[broken], found.P_start[broken], found.P_end[broken]))
    return Analysis(nodiff, ratio, regime, depth_g, layers, thickness_g)


def add_equilibrium(ds: xr.Dataset, plan: "Plan", evolution: Evolution, index: xr.DataArray) -> xr.Dataset:
    """The dataset with everything on diffusion equilibrium. index: the evolution of each composition."""
    found = analyse(plan, evolution)

    def profile(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(values, dims=("evolution", "pressure")).isel(evolution=index)

    ratio = profile(found.ratio)
    X_n, A = ds.X_n, ds.A_mean
    electrons = profile(found.ratio * found.nodiff) * ds.n_b * ds.Y_e * DYN_PER_CM2  # dP_e/dP
    new: dict[str, Any] = {
        "dmu_e_dP": (profile(found.ratio * found.nodiff), "MeV cm2 dyne-1", "slope of mu_e along the profile"),
        "dmu_e_dP_nodiff": (
            profile(found.nodiff),
            "MeV cm2 dyne-1",
            "slope of mu_e in diffusion equilibrium, CS20 eq. 7",
        ),
        "equilibrium_ratio": (ratio, "1", "R: slope of mu_e over that of diffusion equilibrium"),
        "f_in": (
            _apply(diffusion.friction_from_ratio, A, ds.g, ratio),
            "dyne",
            "friction per nucleus, outwards, eq. 6",
        ),
        "J_n": (
            _apply(diffusion.neutron_flux, A, ds.g, ds.rho * X_n, ratio).where(ratio.notnull()),
            "cm-2 s-1",
            "neutron flux that would hold the nuclei up, outwards, eq. 10",
        ),
        "J_acc": (_apply(diffusion.accretion_flux, ds.mdot), "cm-2 s-1", "baryon flux of accretion"),
        "column_depth": (ds.pressure / ds.g, "g cm-2", "column depth P/g"),
        "depth": (profile(found.depth_g) / ds.g / 100, "m", "depth below the first pressure"),
        "residual_ei": (
            _apply(diffusion.residual_ei, electrons, 1 - X_n, 1.0),
            "1",
            "relative residual of eq. 8, electrons and nuclei",
        ),
        "residual_n": (
            _apply(diffusion.residual_n, 1 - electrons, X_n, 1.0).where(ratio.notnull()),
            "1",
            "relative residual of eq. 9, free neutrons; 0 where there are none",
        ),
    }
    new["J_ratio"] = (new["J_n"][0] / new["J_acc"][0], "1", "J_n over J_acc")
    for name, (values, units, long_name) in new.items():
        order = [d for d in (*MEMBER_AXES, "pressure") if d in values.dims]
        ds[name] = values.transpose(*order).assign_attrs(units=units, long_name=long_name)
    ds["regime"] = profile(found.regime).assign_attrs(
        flag_values=np.array([NO_RESULT, *(int(r) for r in Regime)], np.int8),
        flag_meanings="no_result " + " ".join(r.name.lower() for r in Regime),
        long_name="regime of the slope of mu_e",
        comment="decreasing: R < 0; flat: 0 <= R < 0.5; steep: R > 1.5",
    )
    return _add_layers(_add_summaries(ds, plan, evolution, found), plan, found)


def _apply(function: Any, *arguments: Any) -> xr.DataArray:
    """A JAX function of broadcast DataArrays."""
    return xr.apply_ufunc(lambda *x: np.asarray(function(*x)), *arguments)


def _kept_layers(found: Analysis, i: int, g: float, cut: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices and thickness in m of an evolution's layers at surface gravity g: jumps, and those not below the cut."""
    layers, thickness = found.layers[i], found.thickness_g[i] / g / 100
    kept = np.flatnonzero((thickness >= cut) | (layers.P_start == layers.P_end))
    return kept, thickness[kept]


def _add_summaries(ds: xr.Dataset, plan: "Plan", evolution: Evolution, found: Analysis) -> xr.Dataset:
    """Thickness out of equilibrium and largest flux ratio within, by member."""
    a, cut, P = plan.sweep.axes, plan.sweep.output.layer_cut, plan.pressures
    p = evolution.profiles
    n = len(found.layers)
    broken, flux = np.full((n, len(a.g)), np.nan), np.full((n, len(a.g)), np.nan)
    # J_n is proportional to g
    J_n = np.asarray(
        diffusion.neutron_flux((1 - p["Y_n"]) / p["sum_Y"], 1.0, p["n_b"] * RHO_PER_N_B * p["Y_n"], found.ratio)
    )
    for i in range(n):
        if np.isnan(found.ratio[i, 0]):
            continue
        for j, g in enumerate(a.g):
            kept, thickness = _kept_layers(found, i, g, cut)
            broken[i, j] = thickness.sum()
            inside = np.zeros(len(P), bool)
            for k in kept:
                inside |= (P >= found.layers[i].P_start[k]) & (P <= found.layers[i].P_end[k])
            flux[i, j] = g * np.max(np.abs(J_n[i, inside]), initial=0.0)
    by_member = plan.evolution_of
    g_index = np.arange(len(a.g))[:, None]
    broken_m = xr.DataArray(broken[by_member, g_index], dims=MEMBER_AXES)
    ratio_m = xr.DataArray(flux[by_member, g_index], dims=MEMBER_AXES) / ds.J_acc.drop_vars("mdot")
    unused = () if plan.sweep.physics.pycno else ("pycno_log10_scale",)
    no_mdot = () if plan.sweep.physics.pycno else ("mdot",)
    ds["broken_thickness"] = broken_m.isel(dict.fromkeys((*unused, *no_mdot), 0)).assign_attrs(
        units="m",
        long_name="thickness of all layers out of diffusion equilibrium",
        comment=f"layers of {cut:g} m or more, and jumps of mu_e at one pressure",
    )
    ds["max_J_ratio"] = ratio_m.isel(dict.fromkeys(unused, 0)).assign_attrs(
        units="1", long_name="largest J_n over J_acc, by size, in layers out of diffusion equilibrium"
    )
    return ds


def _add_layers(ds: xr.Dataset, plan: "Plan", found: Analysis) -> xr.Dataset:
    """Layers of all members, a CF contiguous ragged array."""
    a, cut = plan.sweep.axes, plan.sweep.output.layer_cut
    g_of = np.broadcast_to(np.asarray(a.g)[:, None], plan.evolution_of.shape).ravel()
    count, rows = np.zeros(plan.n_members, np.int32), []
    for m, i in enumerate(plan.evolution_of.ravel()):
        kept, thickness = _kept_layers(found, i, g_of[m], cut)
        count[m] = kept.size
        layers = found.layers[i]
        rows.append(
            [
                np.full(kept.size, m),
                *(x[kept] for x in (layers.regime, layers.P_start, layers.P_end)),
                thickness,
            ]
        )
    member, regime, P_start, P_end, thickness = (np.concatenate(column) for column in zip(*rows, strict=True))
    pressure = {"units": "dyne cm-2"}
    flags = {"flag_values": ds.regime.attrs["flag_values"], "flag_meanings": ds.regime.attrs["flag_meanings"]}
    order = ", ".join(f"{name} ({size})" for name, size in zip(MEMBER_AXES, plan.evolution_of.shape, strict=True))
    variables = {
        "layer_count": (
            "member",
            count,
            {"sample_dimension": "layer", "long_name": "number of layers of each member", "units": "1"},
        ),
        "layer_member": (
            "layer",
            member.astype(np.int32),
            {
                "units": "1",
                "long_name": "member that a layer belongs to",
                "comment": f"members count through {order}, last fastest",
            },
        ),
        "layer_regime": ("layer", regime.astype(np.int8), {"long_name": "regime of a layer", **flags}),
        "layer_P_start": ("layer", P_start, {**pressure, "long_name": "pressure at the top of a layer"}),
        "layer_P_end": ("layer", P_end, {**pressure, "long_name": "pressure at the bottom of a layer"}),
        "layer_thickness": (
            "layer",
            thickness,
            {
                "units": "m",
                "long_name": "thickness of a layer",
                "comment": f"layers of {cut:g} m or more, and jumps of mu_e at one pressure",
            },
        ),
    }
    return ds.assign({name: xr.Variable(*parts) for name, parts in variables.items()})


def add_ground_state(ds: xr.Dataset, plan: "Plan") -> xr.Dataset:
    """The dataset with the ground state of each mass model (figure 1's dotted lines). float64 must be on."""
    matter = sweep_settings(plan.physics, plan.stepper).matter
    states = [ground_state(model.mixed, plan.pressures / DYN_PER_CM2, matter) for model in plan.models]
    new = {
        "gs_mu_e": ([s.mu_e for s in states], "MeV", "electron chemical potential, rest mass included"),
        "gs_rho": ([s.rho for s in states], "g cm-3", "baryon rest mass density"),
        "gs_Z": ([s.Z for s in states], "1", "charge number of the nuclide"),
        "gs_A": ([s.A for s in states], "1", "mass number of the nuclide"),
        "gs_dmu_e_dP_nodiff": (
            [s.dmu_e_dP_nodiff / DYN_PER_CM2 for s in states],
            "MeV cm2 dyne-1",
            "slope of mu_e in diffusion equilibrium, CS20 eq. 7",
        ),
    }
    for name, (values, units, long_name) in new.items():
        ds[name] = (
            ("mass_model", "pressure"),
            np.stack([np.asarray(v) for v in values]),
            {"units": units, "long_name": f"ground state: {long_name}"},
        )
    return ds
