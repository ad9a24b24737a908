"""What is kept of an evolution: everything in the dataset that does not depend on g and mdot but through their product.

g enters the rest as a factor, so records are a few numbers and layers an evolution, and its profiles if they are
wanted. They are computed from fixed numbers of evolutions at a time: an XLA loop's remainder may round otherwise, and
the bits of a result must not depend on how a sweep was cut into chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from gpucrust import diffusion, eos
from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.dataset_equilibrium import analyse
from gpucrust.ensemble import Evolution, sweep_settings

if TYPE_CHECKING:
    from gpucrust.planning import Plan

TOGETHER = 32
"""Evolutions whose records are computed at a time."""
SUMMARY = ("n_steps", "max_active", "table_mismatch", "total_heat")
LAYER = ("regime", "P_start", "P_end", "thickness_times_g", "J_n_over_g")
"""Columns of a layer; the last is the largest size of J_n/g at the recorded pressures within."""
PROFILE = (
    "n_b Y_e X_n Z_mean A_mean Q_imp heat mu_e mu_n P_e P_n dmu_e_dP_nodiff equilibrium_ratio regime depth_times_g "
    "residual_ei residual_n f_in_over_g J_n_over_g".split()
)


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


def records_of(plan: "Plan", evolution: Evolution) -> Records:
    """What is kept of the evolutions of a plan, or of some of them."""
    n = len(evolution.status)
    with jax.enable_x64(True):
        return concatenate(
            [
                _records_of_group(plan, evolutions_at(evolution, np.arange(start, start + TOGETHER)), n - start)
                for start in range(0, n, TOGETHER)
            ]
        )


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


def _records_of_group(plan: "Plan", evolution: Evolution, n: int) -> Records:
    """The first n of TOGETHER evolutions."""
    found = analyse(plan, evolution)
    profiles = _profiles(plan, evolution, found)
    J_n, P = profiles["J_n_over_g"], plan.pressures
    layers = []
    for i, (own, thickness_g) in enumerate(zip(found.layers[:n], found.thickness_g, strict=False)):
        inside = (P >= own.P_start[:, None]) & (P <= own.P_end[:, None])
        largest = np.max(np.where(inside, np.abs(J_n[i]), 0.0), axis=1, initial=0.0)
        layers.append(np.stack([own.regime, own.P_start, own.P_end, thickness_g, largest], axis=1))
    total_heat = evolution.profiles["heat"][:, -1]
    summary = np.stack([evolution.n_steps, evolution.max_active, evolution.mismatch, total_heat], axis=1)
    output = plan.sweep.output
    return Records(
        status=evolution.status[:n].astype(np.int8),
        summary=summary[:n],
        layer_count=np.array([len(x) for x in layers], np.int32),
        layers=np.concatenate(layers),
        profiles=np.stack([profiles[name][:n] for name in PROFILE], axis=1) if output.profiles else None,
        nuclides=None if evolution.nuclides is None else evolution.nuclides[:n].astype(np.int32),
        abundances=None if evolution.abundances is None else evolution.abundances[:n],
    )


def _profiles(plan: "Plan", evolution: Evolution, found: Any) -> dict[str, np.ndarray]:
    """The columns PROFILE, (evolution, pressure) each."""
    p = evolution.profiles
    matter = sweep_settings(plan.physics, plan.stepper).matter
    n_b, Y_e, Y_n, Y = p["n_b"], p["Y_e"], p["Y_n"], p["sum_Y"]
    Z, A, R = Y_e / Y, (1 - Y_n) / Y, found.ratio
    electrons = R * found.nodiff * n_b * Y_e * DYN_PER_CM2  # dP_e/dP
    columns = {
        "n_b": n_b,
        "Y_e": Y_e,
        "X_n": Y_n,
        "Z_mean": Z,
        "A_mean": A,
        "Q_imp": np.maximum(p["sum_Z2Y"] / Y - Z**2, 0.0),
        "heat": p["heat"],
        "mu_e": eos.electron_chemical_potential(n_b * Y_e),
        "mu_n": eos.neutron_chemical_potential(n_b * Y_n, matter),
        "P_e": eos.electron_pressure(n_b * Y_e) * DYN_PER_CM2,
        "P_n": eos.neutron_pressure(n_b * Y_n, matter) * DYN_PER_CM2,
        "dmu_e_dP_nodiff": found.nodiff,
        "equilibrium_ratio": R,
        "regime": found.regime,
        "depth_times_g": found.depth_g,
        "residual_ei": diffusion.residual_ei(electrons, 1 - Y_n, 1.0),
        "residual_n": np.where(np.isnan(R), np.nan, diffusion.residual_n(1 - electrons, Y_n, 1.0)),
        "f_in_over_g": diffusion.friction_from_ratio(A, 1.0, R),
        "J_n_over_g": np.where(np.isnan(R), np.nan, diffusion.neutron_flux(A, 1.0, n_b * RHO_PER_N_B * Y_n, R)),
    }
    return {name: np.asarray(values, float) for name, values in columns.items()}
