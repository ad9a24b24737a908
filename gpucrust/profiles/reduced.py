"""What is kept of an evolution: everything in the dataset that does not depend on g and mdot but through their product.

g enters the rest as a factor, so records are a few numbers and layers an evolution, and its profiles if they are
wanted. They are computed from fixed numbers of evolutions at a time: an XLA loop's remainder may round otherwise, and
the bits of a result must not depend on how a sweep was cut into chunks.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
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
from gpucrust.schema import PROFILE
from gpucrust.sweep.plan import Plan

TOGETHER = 32
"""Evolutions whose records are computed at a time."""


@dataclass(frozen=True)
class Records:
    """n evolutions, one entry each along the first axis; those that failed have NaN."""

    status: np.ndarray  # (n,) int8
    summary: np.ndarray  # (n, len(SUMMARY))
    layer_count: np.ndarray  # (n,)
    layers: np.ndarray  # (sum of layer_count, len(LAYER)), of one evolution after the other
    profiles: np.ndarray | None = None  # (n, len(PROFILE), pressures)
    nuclides: np.ndarray | None = None  # (n, pressures, slots) codes
    abundances: np.ndarray | None = None  # (n, pressures, slots)

    def __len__(self) -> int:
        return len(self.status)


def concatenate(parts: Sequence[Records]) -> Records:
    """One after the other."""
    columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(Records)}
    joined: dict[str, Any] = {name: None if x[0] is None else np.concatenate(x) for name, x in columns.items()}
    return Records(**joined)


def take(records: Records, rows: np.ndarray) -> Records:
    """Some of the evolutions, in the order of `rows`."""
    ends = np.cumsum(records.layer_count)
    counts = records.layer_count[rows]
    own = np.repeat(ends[rows] - np.cumsum(counts), counts) + np.arange(counts.sum())
    chosen: dict[str, Any] = {
        f.name: None if (x := getattr(records, f.name)) is None else x[rows]
        for f in fields(Records)
        if f.name != "layers"
    }
    return Records(**chosen, layers=records.layers[own])


def records_of(plan: Plan, evolution: Evolution) -> Records:
    """What is kept of the evolutions of a plan, or of some of them."""
    n = len(evolution.status)
    with jax.enable_x64(True), _on_host():
        return concatenate(
            [
                _records_of_group(plan, evolutions_at(evolution, np.arange(start, start + TOGETHER)), n - start)
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


def _records_of_group(plan: Plan, evolution: Evolution, n: int) -> Records:
    """The first n of TOGETHER evolutions; beyond them none has layers."""
    found = analyse(plan, evolution)
    p, layers, output = evolution.profiles, found.layers, plan.sweep.output
    J_n = np.asarray(_flux_over_g(p["n_b"], p["Y_n"], p["sum_Y"], found.ratio))
    largest = largest_within(layers, plan.pressures, np.abs(J_n))
    mean = mean_within(layers, plan.pressures, J_n, found.depth_g)
    summary = np.stack([evolution.n_steps, evolution.max_active, evolution.mismatch, p["heat"][:, -1]], axis=1)
    return Records(
        status=evolution.status[:n].astype(np.int8),
        summary=summary[:n],
        layer_count=np.bincount(layers.crust, minlength=len(summary))[:n].astype(np.int32),
        layers=np.stack([layers.regime, layers.P_start, layers.P_end, found.thickness_g, largest, mean], axis=1),
        profiles=_profiles(plan, evolution, found, J_n)[:n] if output.profiles else None,
        nuclides=None if evolution.nuclides is None else evolution.nuclides[:n].astype(np.int32),
        abundances=None if evolution.abundances is None else evolution.abundances[:n],
    )


@jax.jit
def _flux_over_g(n_b: Array, Y_n: Array, Y: Array, R: Array) -> Array:
    """J_n/g, cm^-2 s^-1 over cm s^-2 (CS20 eq. 10)."""
    flux = diffusion.neutron_flux((1 - Y_n) / Y, 1.0, n_b * RHO_PER_N_B * Y_n, R)
    return jnp.where(jnp.isnan(R), jnp.nan, flux)


def _profiles(plan: Plan, evolution: Evolution, found: Analysis, J_n: np.ndarray) -> np.ndarray:
    """The columns PROFILE, (evolution, column, pressure)."""
    matter = matter_of(plan.physics)
    p = evolution.profiles
    columns = {
        "n_b": p["n_b"],
        "Y_e": p["Y_e"],
        "X_n": p["Y_n"],
        "heat": p["heat"],
        "dmu_e_dP_nodiff": found.nodiff,
        "equilibrium_ratio": found.ratio,
        "regime": found.regime,
        "depth_times_g": found.depth_g,
        "J_n_over_g": J_n,
        **_derived(p, found.ratio, matter),
    }
    return np.stack([columns[name] for name in PROFILE], axis=1)


@jax.jit
def _derived(p: dict[str, Array], R: Array, matter: eos.Matter) -> dict[str, Array]:
    """Those of the columns PROFILE that follow from others at one pressure."""
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
