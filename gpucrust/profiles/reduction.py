"""From evolutions to reduced ones: slopes, fluxes and layers, without g and mdot.

They are computed for fixed numbers of evolutions at a time: an XLA loop's remainder may round otherwise, and the bits
of a result must not depend on how a sweep was cut into portions.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import matter_of
from gpucrust.physics import diffusion, eos
from gpucrust.profiles.equilibrium import Analysis, analyse
from gpucrust.profiles.layers import largest_within, mean_within
from gpucrust.profiles.reduced import ReducedEvolutions, concatenate
from gpucrust.schema import LayerColumns, ProfileColumns, SummaryColumns
from gpucrust.sweep.plan import Plan

TOGETHER = 32
"""Evolutions that are reduced at a time, always as many, so that one compiled program serves all."""


def reduce_evolutions(plan: Plan, evolution: Evolution) -> ReducedEvolutions:
    """The evolutions of a plan, or some of them, reduced."""
    n = len(evolution.status)
    with jax.enable_x64(True), _on_host():
        return concatenate(
            [
                _reduce_group(plan, evolutions_at(evolution, np.arange(start, start + TOGETHER)), n - start)
                for start in range(0, n, TOGETHER)
            ]
        )


def _on_host() -> AbstractContextManager[Any]:
    """Context in which JAX computes on the CPU, if it may, so that a GPU goes on with other members."""
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:
        return nullcontext()


def evolutions_at(evolution: Evolution, rows: np.ndarray) -> Evolution:
    """Some members of an ensemble; beyond its last, members without a result."""
    n = len(evolution.status)

    def choose(x: Any) -> Any:
        if isinstance(x, dict):
            return {name: choose(values) for name, values in x.items()}
        if not isinstance(x, np.ndarray):
            return x
        chosen = x[np.minimum(rows, n - 1)]
        if x.dtype.kind == "f":
            chosen[rows >= n] = np.nan
        return chosen

    return replace(evolution, **{f.name: choose(getattr(evolution, f.name)) for f in fields(evolution)})


def _reduce_group(plan: Plan, evolution: Evolution, n: int) -> ReducedEvolutions:
    """The first n of TOGETHER evolutions; beyond them none has layers."""
    found = analyse(plan, evolution)
    p, output = evolution.profiles, plan.sweep.output
    J_n = np.asarray(_flux_over_g(p["n_b"], p["Y_n"], p["sum_Y"], found.ratio))
    summary = SummaryColumns(
        n_steps=evolution.n_steps,
        max_active=evolution.max_active,
        table_mismatch=evolution.mismatch,
        total_heat=p["heat"][:, -1],
    )
    layers = LayerColumns(
        regime=found.layers.regime,
        P_start=found.layers.P_start,
        P_end=found.layers.P_end,
        thickness_times_g=found.thickness_g,
        J_n_over_g=largest_within(found.layers, plan.pressures, np.abs(J_n)),
        mean_J_n_over_g=mean_within(found.layers, plan.pressures, J_n, found.depth_g),
    )
    return ReducedEvolutions(
        status=evolution.status[:n].astype(np.int8),
        summary=np.stack(summary, axis=1)[:n],
        layer_count=np.bincount(found.layers.crust, minlength=TOGETHER)[:n].astype(np.int32),
        layers=np.stack(layers, axis=1),
        profiles=np.stack(_profiles(plan, evolution, found, J_n), axis=1)[:n] if output.profiles else None,
        nuclides=None if evolution.nuclides is None else evolution.nuclides[:n].astype(np.int32),
        abundances=None if evolution.abundances is None else evolution.abundances[:n],
    )


@jax.jit
def _flux_over_g(n_b: Array, Y_n: Array, Y: Array, R: Array) -> Array:
    """J_n/g, cm^-2 s^-1 over cm s^-2 (CS20 eq. 10)."""
    flux = diffusion.neutron_flux((1 - Y_n) / Y, 1.0, n_b * RHO_PER_N_B * Y_n, R)
    return jnp.where(jnp.isnan(R), jnp.nan, flux)


def _profiles(plan: Plan, evolution: Evolution, found: Analysis, J_n: np.ndarray) -> ProfileColumns:
    """(evolutions, pressures) each."""
    p = evolution.profiles
    return ProfileColumns(
        n_b=p["n_b"],
        Y_e=p["Y_e"],
        X_n=p["Y_n"],
        heat=p["heat"],
        dmu_e_dP_nodiff=found.nodiff,
        equilibrium_ratio=found.ratio,
        regime=found.regime,
        depth_times_g=found.depth_g,
        J_n_over_g=J_n,
        **_derived(p, found.ratio, matter_of(plan.physics)),
    )


@jax.jit
def _derived(p: dict[str, Array], R: Array, matter: eos.Matter) -> dict[str, Array]:
    """Those of `ProfileColumns` that follow from others at one pressure."""
    n_b, Y_e, Y_n, Y = p["n_b"], p["Y_e"], p["Y_n"], p["sum_Y"]
    Z, A = Y_e / Y, (1 - Y_n) / Y
    dP_ei = R * (1 - Y_n)  # dP_ei/dP: in diffusion equilibrium rho_ei/rho
    return {
        "Z_mean": Z,
        "A_mean": A,
        "Q_imp": jnp.maximum(p["sum_Z2Y"] / Y - Z**2, 0.0),
        "mu_e": eos.electron_chemical_potential(n_b * Y_e),
        "mu_n": eos.neutron_chemical_potential(n_b * Y_n, matter),
        "P_e": eos.electron_pressure(n_b * Y_e) * DYN_PER_CM2,
        "P_n": eos.neutron_pressure(n_b * Y_n, matter) * DYN_PER_CM2,
        "residual_ei": diffusion.residual_ei(dP_ei, 1 - Y_n, 1.0),
        "residual_n": jnp.where(jnp.isnan(R), jnp.nan, diffusion.residual_n(1 - dP_ei, Y_n, 1.0)),
        "f_in_over_g": diffusion.friction_from_ratio(A, 1.0, R),
    }
