"""From a sweep to its derivatives: every member's crust recorded, then replayed."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from gpucrust.masses.liquid_drop import LiquidDropConstants
from gpucrust.sensitivity.dataset import sensitivity_dataset
from gpucrust.sensitivity.derivatives import Crusts, make_crusts
from gpucrust.sensitivity.parameters import parameters_of
from gpucrust.sensitivity.recording import record_crusts
from gpucrust.sensitivity.replay import Parameters
from gpucrust.sensitivity.selection import check_names
from gpucrust.sensitivity.tape import Record
from gpucrust.sweep.config import SweepError
from gpucrust.sweep.plan import Plan


def record_evolutions(plan: Plan) -> tuple[list[Record | None], list[Parameters]]:
    """Records of a plan's distinct evolutions, None for one that has no result, and their parameters with g = 1.

    float64 must be on.
    """
    members, physics = plan.evolutions, plan.physics
    parameters = [
        parameters_of(plan.models[members.model[e]], e, members, physics, 1.0, float(members.g_mdot[e]))
        for e in range(plan.n_evolutions)
    ]
    ashes = plan.sweep.ash_fractions()
    return record_crusts(members, plan.models, ashes, plan.pressures, physics, plan.stepper, parameters), parameters


def crusts_of(plan: Plan) -> tuple[Crusts, np.ndarray]:
    """Crusts of all members of a plan that have a result, and which members those are. float64 must be on."""
    physics = plan.sweep.physics
    if physics.policy == "unmixed":
        raise SweepError(
            "physics.policy: derivatives need masses that are a function of state: --set physics.policy=mixed"
        )
    for name in ("one_component", "neutrino_fraction"):
        if getattr(physics, name):
            raise SweepError(f"physics.{name}: derivatives are made without it")
    recorded, of_evolutions = record_evolutions(plan)
    evolution = plan.evolution_of.ravel()
    members = np.array([m for m, e in enumerate(evolution) if recorded[e] is not None])
    if members.size == 0:
        raise SweepError("no member of this sweep has a result; gpucrust run says why")
    a = plan.sweep.axes
    *_, g, mdot = np.unravel_index(members, plan.evolution_of.shape)
    records, parameters = [], []
    for k, m in enumerate(members):
        e = int(evolution[m])
        own = recorded[e]
        assert own is not None
        records.append(own)
        at = {"g": jnp.asarray(float(a.g[g[k]])), "mdot": jnp.asarray(float(a.mdot[mdot[k]]))}
        parameters.append(of_evolutions[e]._replace(**at))
    return make_crusts(records, parameters, plan.sweep.output.layer_cut), members


def run_sensitivity(plan: Plan, of: str, wrt: str, folder: Path = Path()) -> xr.Dataset:
    """Derivatives of the outputs `of` (names with commas) with respect to the family `wrt`: the dataset.

    folder: what paths of the sweep are relative to. Raises SweepError with one line.
    """
    wanted = check_names(of, plan.pressures)
    drop = plan.sweep.masses.liquid_drop
    constants = LiquidDropConstants.from_toml(folder / drop) if drop else None
    with jax.enable_x64(True):
        crusts, members = crusts_of(plan)
        return sensitivity_dataset(plan, crusts, wanted, wrt, members, constants)
