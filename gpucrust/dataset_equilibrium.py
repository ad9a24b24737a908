"""Where diffusion equilibrium breaks in every evolution: slopes, regimes, layers; and the ground state."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
import xarray as xr

from gpucrust import diffusion, eos
from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.ensemble import Evolution, sweep_settings
from gpucrust.ground_state import GroundState, ground_state
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
    from gpucrust.planning import Plan

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


def ground_states(plan: "Plan") -> list[GroundState]:
    """The ground state of each mass model at the recorded pressures (figure 1's dotted lines); none if not wanted."""
    if not (plan.sweep.output.profiles and plan.sweep.output.ground_state):
        return []
    with jax.enable_x64(True):
        matter = sweep_settings(plan.physics, plan.stepper).matter
        return [ground_state(model.mixed, plan.pressures / DYN_PER_CM2, matter) for model in plan.models]


def add_ground_state(ds: xr.Dataset, states: list[GroundState]) -> xr.Dataset:
    """The dataset with the ground state of each mass model."""
    new: dict[str, tuple[list, str, str]] = {
        "gs_mu_e": ([s.mu_e for s in states], "MeV", "electron chemical potential, rest mass included"),
        "gs_rho": ([s.rho for s in states], "g cm-3", "baryon rest mass density"),
        "gs_Z": ([s.Z for s in states], "1", "charge number of the nuclide"),
        "gs_A": ([s.A for s in states], "1", "mass number of the nuclide"),
        "gs_dmu_e_dP_nodiff": (
            [np.asarray(s.dmu_e_dP_nodiff) / DYN_PER_CM2 for s in states],
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
