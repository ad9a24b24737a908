"""Crusts recorded by the engine, for tests of their derivatives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from gpucrust.engine.inputs import Members, Physics, Problem, Stepper
from gpucrust.masses import MassModel
from gpucrust.sensitivity.derivatives import crust_outputs
from gpucrust.sensitivity.parameters import Parameters, parameters_of
from gpucrust.sensitivity.recording import record_crusts
from gpucrust.sensitivity.selection import starts_in_flat
from gpucrust.sensitivity.tape import Tape

G, MDOT = 2e14, 3e4
STEP = 0.06
PRESSURES = np.geomspace(1e27, 2e31, 199)
"""Pressures of the grid of the recorded CASES, dyn cm^-2."""
IRON = {(26, 30): 1.0}
MIXTURE = {(14, 14): 0.1, (26, 30): 0.4, (34, 40): 0.2, (46, 58): 0.3}
CASES = {
    "iron": ("FRDM95+DZ31", IRON, Physics()),
    "mixture": ("HFB21+DZ31", MIXTURE, Physics()),
    "lattice": ("FRDM95+DZ31", IRON, Physics(lattice=True)),
    "liquid drop": ("MB-refit", IRON, Physics()),
}
"""Mass models, ashes and rules of the fixture `crusts`."""
ITERATIONS = 4
"""Of Newton's method in every step, for crusts at other parameters than their tape's."""
SWEEP = """
[axes]
mass_model = ["FRDM95+DZ31", "DZ31"]
[physics]
policy = "mixed"
[stepper]
P_start = 1e28
P_end = 2e31
dlnP = 0.05
"""


def record_models(
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics | None = None,
) -> tuple[list[Tape], list[Parameters]]:
    """One crust a model, of its ash; policy mixed. float64 must be on."""
    n, physics = len(models), physics or Physics()
    members = Members(np.arange(n), np.arange(n), np.zeros(n), np.zeros(n, int), np.full(n, G * MDOT))
    parameters = [parameters_of(model, m, members, physics, G, MDOT) for m, model in enumerate(models)]
    problem = Problem(models, ashes, pressures, physics, Stepper(step=STEP))
    tapes = record_crusts(members, problem, parameters)
    assert all(tape is not None for tape in tapes)
    return tapes, parameters


def shifted(model: MassModel, code: int, shift: float) -> MassModel:
    """The model with the mass of one nuclide changed, MeV."""
    mixed = model.mixed.copy()
    mixed.flat[code] += shift
    return replace(model, mixed=mixed)


@jax.jit
def pushed(steps, structure, parameters, tangent):
    """Outputs of a crust and their change along a tangent, forward mode."""
    return jax.jvp(partial(crust_outputs, steps, structure), (parameters,), (tangent,))


def places_of(crusts, *names):
    """(members, outputs) places of outputs in `flat`: a name, or a name and the index of a pressure."""
    start = starts_in_flat(len(crusts.structure.grid_step[0]), crusts.steps.tape.P.shape[1])
    one = [start[name] if isinstance(name, str) else start[name[0]] + name[1] for name in names]
    return np.tile(one, (len(crusts), 1))
