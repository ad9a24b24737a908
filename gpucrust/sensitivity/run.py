"""From a sweep to its derivatives: every member's crust recorded, then replayed."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from gpucrust.masses.liquid_drop import MB_REFIT, LiquidDropConstants
from gpucrust.sensitivity.dataset import sensitivity_dataset
from gpucrust.sensitivity.derivatives import Crusts, make_crusts
from gpucrust.sensitivity.parameters import Parameters, parameters_of
from gpucrust.sensitivity.recording import record_crusts
from gpucrust.sensitivity.selection import check_names
from gpucrust.sensitivity.tape import Tape
from gpucrust.sweep.errors import SweepError
from gpucrust.sweep.plan import Plan


def record_evolutions(plan: Plan) -> tuple[list[Tape | None], list[Parameters]]:
    """Tapes of a plan's distinct evolutions, None for one that has no result, and their parameters with g = 1.

    float64 must be on.
    """
    members, physics = plan.evolutions, plan.physics
    parameters = [
        parameters_of(plan.models[members.model[e]], e, members, physics, 1.0, float(members.g_mdot[e]))
        for e in range(plan.n_evolutions)
    ]
    return record_crusts(members, plan.problem, parameters), parameters


def crusts_of(plan: Plan) -> tuple[Crusts, np.ndarray]:
    """Crusts of all members of a plan that have a result, and which members those are. float64 must be on."""
    _check_rules(plan)
    recorded, of_evolutions = record_evolutions(plan)
    *_, g, mdot = np.meshgrid(*map(np.arange, plan.shape), indexing="ij")
    axes = plan.sweep.axes
    members, tapes, parameters = [], [], []
    for member, (e, i, j) in enumerate(zip(plan.evolution_of.flat, g.flat, mdot.flat, strict=True)):
        tape = recorded[e]
        if tape is not None:
            own = of_evolutions[e]._replace(g=jnp.asarray(float(axes.g[i])), mdot=jnp.asarray(float(axes.mdot[j])))
            members.append(member)
            tapes.append(tape)
            parameters.append(own)
    if not members:
        raise SweepError("no member of this sweep has a result; gpucrust run says why")
    return make_crusts(tapes, parameters, plan.sweep.output.layer_cut), np.array(members)


def _check_rules(plan: Plan) -> None:
    """Raises SweepError for rules of a sweep that there are no derivatives with."""
    physics = plan.sweep.physics
    if physics.policy == "unmixed":
        raise SweepError(
            "physics.policy: derivatives need masses that are a function of state: --set physics.policy=mixed"
        )
    for name in ("one_component", "neutrino_fraction"):
        if getattr(physics, name):
            raise SweepError(f"physics.{name}: derivatives are made without it")


def run_sensitivity(plan: Plan, of: str, wrt: str, folder: Path = Path()) -> xr.Dataset:
    """Derivatives of the outputs `of` (names with commas) with respect to the family `wrt`: the dataset.

    folder: what paths of the sweep are relative to. Raises SweepError with one line.
    """
    wanted = check_names(of, plan.pressures)
    drop = plan.sweep.masses.liquid_drop
    constants = LiquidDropConstants.from_toml(folder / drop) if drop else MB_REFIT
    with jax.enable_x64(True):
        crusts, members = crusts_of(plan)
        return sensitivity_dataset(plan, crusts, wanted, wrt, members, constants)
