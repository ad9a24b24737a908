"""Which mass models there are, and how good: what `gpucrust models` prints."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from gpucrust.masses import liquid_drop
from gpucrust.masses.registry import (
    BUILDERS,
    THEORIES,
    WITH_DZ31,
    Origin,
    TableLoader,
    dz31_table,
    load_model,
    nuclear_energy,
)
from gpucrust.masses.tables import MassTable, MassTableError, MissingTableError, common_masses, packaged_table


@dataclass(frozen=True)
class ModelInfo:
    """What `gpucrust models` tells of a model."""

    name: str
    """Name of the model."""
    available: bool
    """Whether every table of the model is on this machine."""
    missing: str
    """How to get what is missing; empty where nothing is."""
    nuclides: Mapping[Origin, int]
    """Number of nuclides of the chart with a mass of each origin, with AME2016; empty where not available."""
    rms: float | None
    """Root mean square of the model's theory (DZ31's, where there is no other) less AME2016, MeV."""
    rms_nuclides: int
    """Number of measured nuclides in the root mean square: those with Z, N >= 8 that the theory has."""
    citation: str
    """Publications of the tables."""


def known_models() -> list[ModelInfo]:
    """Every built-in model, in the order of BUILDERS, with AME2016."""
    return [_model_info(name) for name in BUILDERS]


def _model_info(name: str) -> ModelInfo:
    try:
        model = load_model(name)
    except MassTableError as error:
        what = "" if isinstance(error, MissingTableError) else "unusable: "
        return ModelInfo(name, False, what + str(error), {}, None, 0, "")
    nuclides: dict[Origin, int] = {
        origin: int(np.sum(model.origin == origin)) for origin in Origin if origin != Origin.NONE
    }
    theories: dict[str, TableLoader] = {**THEORIES, "DZ31": dz31_table, "MB-refit": liquid_drop_table}
    theory = theories.get(name.removesuffix(WITH_DZ31))
    rms, count = rms_against_measured(theory()) if theory else (None, 0)
    return ModelInfo(name, True, "", nuclides, rms, count, model.citation)


def rms_against_measured(theory: MassTable, ame: str = "AME2016") -> tuple[float, int]:
    """Root mean square of theory less measured over their common nuclides with Z, N >= 8, MeV; and their number."""
    table = packaged_table(ame)
    heavy = (table.Z >= 8) & (table.N >= 8)
    measured = MassTable(ame, table.Z[heavy], table.N[heavy], table.mass_excess[heavy], table.citation)
    ours, theirs = common_masses(theory, measured)
    return float(np.sqrt(np.mean((ours - theirs) ** 2))), len(ours)


def liquid_drop_table() -> MassTable:
    """MB-refit for the nuclides of AME2016, also those beyond the chart."""
    measured = packaged_table("AME2016")
    Z, N = (numbers[measured.Z > 0] for numbers in (measured.Z, measured.N))
    with jax.enable_x64(True):
        mass_excess = np.asarray(liquid_drop.liquid_drop_mass_excess(Z, N)) - nuclear_energy(Z, np.zeros(len(Z)))
    return MassTable("MB-refit", Z, N, mass_excess, liquid_drop.CITATION)
