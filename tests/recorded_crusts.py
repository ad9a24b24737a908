"""Crusts recorded by the engine, for tests of their derivatives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gpucrust.engine.inputs import Members, Physics, Stepper
from gpucrust.masses import MassModel
from gpucrust.sensitivity.parameters import parameters_of
from gpucrust.sensitivity.recording import record_crusts
from gpucrust.sensitivity.replay import Parameters
from gpucrust.sensitivity.tape import Record

G, MDOT = 2e14, 3e4
STEP = 0.06


def record_models(
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics | None = None,
) -> tuple[list[Record], list[Parameters]]:
    """One crust a model, of its ash; policy mixed. float64 must be on."""
    n, physics = len(models), physics or Physics()
    members = Members(np.arange(n), np.arange(n), np.zeros(n), np.zeros(n, int), np.full(n, G * MDOT))
    parameters = [parameters_of(model, m, members, physics, G, MDOT) for m, model in enumerate(models)]
    records = record_crusts(members, models, ashes, pressures, physics, Stepper(step=STEP), parameters)
    assert all(record is not None for record in records)
    return records, parameters


def shifted(model: MassModel, code: int, shift: float) -> MassModel:
    """The model with the mass of one nuclide changed, MeV."""
    mixed = model.mixed.copy()
    mixed.flat[code] += shift
    return replace(model, mixed=mixed)
