"""Named mass models: which mass a nuclide has, from which table, and how the tables are joined (CS20 2.1).

A model is AME's measured masses, then a theory table, then DZ31 beyond it. Charts are dense arrays of shape
(61, 161), indexed [Z, N], holding the nuclear mass energy less A m_u, E = Delta(Z,N) - Z m_e + B_el(Z), in MeV;
NaN where there is no mass, and throughout Z = 0: the free neutron is no nucleus.

To add a model, put a function from the name of the AME table to `Sources` into BUILDERS.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, partial
from pathlib import Path

import jax
import numpy as np

from gpucrust.constants import ELECTRON_MASS
from gpucrust.masses import liquid_drop
from gpucrust.masses.duflo_zuker import N_RANGE, Z_RANGE, duflo_zuker
from gpucrust.masses.tables import (
    IMPLAUSIBLE,
    MassTable,
    MassTableError,
    frdm2012_table,
    packaged_table,
    read_user_table,
)
from gpucrust.nuclide import N_MAX, Z_MAX
from gpucrust.support.nearest import nearest

AME_TABLES = ("AME2016", "AME2020")
"""Names of the evaluations of measured masses."""

POLICIES = ("mixed", "unmixed", "aligned")
"""Names of the ways to read masses across the edges of tables, see `load_model`."""

WITH_DZ31 = "+DZ31"
"""Ending of the name of a model whose theory table goes on in DZ31."""


class UnknownModelError(ValueError):
    """A name that stands for nothing; the message is one line and holds the nearest name that does."""


class Origin(IntEnum):
    """Where a mass comes from: row k of `MassModel.sources` is Origin k + 1."""

    NONE = 0
    """No table has a mass."""
    MEASURED = 1
    """AME's evaluation."""
    THEORY = 2
    """The model's theory table, or its liquid drop."""
    DUFLO_ZUKER = 3
    """DZ31, beyond the theory table."""


@dataclass(frozen=True, eq=False)
class Sources:
    """The tables of a model, apart."""

    energy: np.ndarray
    """(3,61,161) E = Delta - Z m_e + B_el of AME, theory and DZ31, MeV; NaN where there is no mass."""
    citation: str
    """Publications of the tables."""


@dataclass(frozen=True, eq=False)
class MassModel:
    """Masses ready for use. The arrays are read-only; energies are E = Delta - Z m_e + B_el in MeV."""

    name: str
    """Name of the model, such as FRDM95+DZ31."""
    ame: str
    """Evaluation of the measured masses, one of AME_TABLES."""
    policy: str
    """How masses are read across the edges of tables, one of POLICIES."""
    mixed: np.ndarray
    """(61,161) E, MeV, one of each nuclide: a function of state. Under policy `aligned`, of the aligned tables."""
    sources: np.ndarray
    """(3,61,161) E of AME, theory and DZ31 apart, MeV, as policy `unmixed` reads them; under `aligned`, shifted."""
    origin: np.ndarray
    """(61,161) int8, the Origin of each entry of `mixed`."""
    citation: str
    """Publications of the tables."""


TableLoader = Callable[[], MassTable]
"""Function that reads a mass table."""

Builder = Callable[[str], Sources]
"""Function from the name of the AME table to the Sources of a model."""


# --- energies on the chart


def electron_binding_energy(Z: np.ndarray) -> np.ndarray:
    """B_el = 1e-6 (14.4381 Z^2.39 + 1.55468e-6 Z^5.35) MeV: of all electrons of an atom.

    Lunney, Pearson & Thibault, Rev. Mod. Phys. 75 (2003) 1021, eq. A4.
    """
    Z = np.asarray(Z, float)
    return 1e-6 * (14.4381 * Z**2.39 + 1.55468e-6 * Z**5.35)


def nuclear_energy(Z: np.ndarray, mass_excess: np.ndarray) -> np.ndarray:
    """E = Delta - Z m_e + B_el(Z), nuclear mass energy less A m_u, MeV, elementwise."""
    energy: np.ndarray = mass_excess - Z * ELECTRON_MASS + electron_binding_energy(Z)
    return energy


def empty_chart() -> np.ndarray:
    """(61,161) of NaN."""
    return np.full((Z_MAX + 1, N_MAX + 1), np.nan)


def energy_chart(table: MassTable) -> np.ndarray:
    """(61,161) nuclear energies of a table, MeV; nuclides beyond the chart, and the neutron, are left out."""
    chart = empty_chart()
    on = (table.Z >= 1) & (table.Z <= Z_MAX) & (table.N <= N_MAX)
    chart[table.Z[on], table.N[on]] = nuclear_energy(table.Z[on], table.mass_excess[on])
    return chart


@cache
def dz31_table() -> MassTable:
    """DZ31 for Z 6..50, N 6..160, where its spherical branch holds.

    Rounded to 1 eV: a GPU and a CPU differ in the last bits, and a run must not depend on where it began.
    """
    ranges = [np.arange(first, last + 1) for first, last in (Z_RANGE, N_RANGE)]
    Z, N = (grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij"))
    with jax.enable_x64(True):
        mass_excess = np.asarray(duflo_zuker(Z, N)).round(6)
    citation = "DZ31: J. Duflo, A. P. Zuker, Phys. Rev. C 52 (1995) R23 (33 coefficients)"
    return MassTable.from_rows("DZ31", zip(Z, N, mass_excess, strict=True), citation)


# --- models by name


def tabulated_sources(theory: TableLoader | None, with_dz31: bool, ame: str) -> Sources:
    """AME, a theory table (or none) and DZ31 (or not)."""
    tables = [packaged_table(ame), theory() if theory else None, dz31_table() if with_dz31 else None]
    energy = np.stack([energy_chart(table) if table else empty_chart() for table in tables])
    return Sources(energy, "; ".join(table.citation for table in tables if table))


THEORIES: dict[str, TableLoader] = {
    "FRDM95": partial(packaged_table, "FRDM95"),
    "FRDM12": frdm2012_table,
    "HFB21": partial(packaged_table, "HFB21"),
    "HFB24": partial(packaged_table, "HFB24"),
    "HFB26": partial(packaged_table, "HFB26"),
    "BSkG3": partial(packaged_table, "BSkG3"),
    "BSkG4": partial(packaged_table, "BSkG4"),
}
"""The theory tables by name. FRDM12 raises MissingTableError where it is not installed."""


def _table_builders(theories: Mapping[str, TableLoader]) -> dict[str, Builder]:
    """NAME+DZ31 and NAME for every theory."""
    builders: dict[str, Builder] = {}
    for suffix, with_dz31 in ((WITH_DZ31, True), ("", False)):
        for name, theory in theories.items():
            builders[name + suffix] = partial(tabulated_sources, theory, with_dz31)
    return builders


def liquid_drop_sources(ame: str, constants: Path | None = None) -> Sources:
    """The liquid drop alone, for every nuclide: measured masses (of whichever `ame`) would spoil its smoothness."""
    if constants is None:
        chart, citation = liquid_drop.liquid_drop_chart(), liquid_drop.CITATION
    else:
        chart = _user_drop(constants)
        citation = f"{liquid_drop.CITATION}; with the constants of {constants.name}"
    return Sources(np.stack([empty_chart(), chart, empty_chart()]), citation)


def _user_drop(constants: Path) -> np.ndarray:
    """Chart of the drop with a user's constants; refused, as tables of masses are, where they cannot be MeV and fm."""
    chart = liquid_drop.liquid_drop_chart(liquid_drop.LiquidDropConstants.from_toml(constants))
    difference = chart - energy_chart(packaged_table("AME2016"))
    if not np.isfinite(chart[2:, 1:]).all() or np.nanmedian(np.abs(difference)) > IMPLAUSIBLE:
        raise MassTableError(
            f"{constants}: a drop of these constants has no masses, or half of them are over {IMPLAUSIBLE:.0f} MeV "
            "from AME2016; MeV and fm are needed"
        )
    return chart


BUILDERS: dict[str, Builder] = {
    **_table_builders(THEORIES),
    "DZ31": partial(tabulated_sources, None, True),
    "MB-refit": liquid_drop_sources,
}
"""Every built-in model: its name, and a function from the name of the AME table to its Sources."""


def load_model(
    name: str,
    *,
    ame: str = "AME2016",
    policy: str = "mixed",
    extra_tables: Mapping[str, Path] | None = None,
    liquid_drop_constants: Path | None = None,
) -> MassModel:
    """The mass model of that name.

    ame: AME2016 or AME2020. policy: how masses are read across the edges of tables,
      mixed    one table: AME where measured, else theory, else DZ31;
      unmixed  the same table, and the three apart, from which each reaction takes both its masses;
      aligned  theory and DZ31 shifted to join what is inside them, see `aligned`.
    extra_tables: CSV tables (Z,N,mass_excess in MeV) by name; each may be used as NAME or NAME+DZ31.
    liquid_drop_constants: TOML file of constants that MB-refit takes in place of its own.

    Raises UnknownModelError for an unknown name, table or policy, MissingTableError for a table that must be
    installed first, and MassTableError for one that is not sound.
    """
    builders = BUILDERS | _extra_builders(extra_tables or {})
    builders["MB-refit"] = partial(liquid_drop_sources, constants=liquid_drop_constants)
    for kind, given, valid in (
        ("mass model", name, builders),
        ("AME table", ame, AME_TABLES),
        ("policy", policy, POLICIES),
    ):
        _check_name(kind, given, valid)
    sources = builders[name](ame)
    energy = aligned(sources.energy) if policy == "aligned" else sources.energy
    mixed, origin = mix(energy)
    for array in (mixed, energy, origin):
        array.setflags(write=False)
    return MassModel(name, ame, policy, mixed, energy, origin, sources.citation)


def _extra_builders(extra_tables: Mapping[str, Path]) -> dict[str, Builder]:
    for name, path in extra_tables.items():
        if name in BUILDERS or name.endswith(WITH_DZ31):
            raise MassTableError(f"{path}: the name {name} is taken; give the table another, without {WITH_DZ31}")
    return _table_builders({name: partial(_user_theory, Path(path), name) for name, path in extra_tables.items()})


def _user_theory(path: Path, name: str) -> MassTable:
    table = read_user_table(path, name)
    if np.isnan(energy_chart(table)).all():
        raise MassTableError(f"{path}: no nuclide with Z from 1 to {Z_MAX} and N up to {N_MAX}")
    return table


def _check_name(kind: str, name: str, valid: Iterable[str]) -> None:
    names = list(valid)
    if name not in names:
        raise UnknownModelError(f"unknown {kind} '{name}'; did you mean {nearest(name, names)}?")


# --- joining the tables


def mix(sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(61,161) energy of the first of the sources (3,61,161) that has one, and its Origin."""
    has = ~np.isnan(sources)
    first = np.argmax(has, axis=0)
    origin = np.where(has.any(axis=0), first + Origin.MEASURED, Origin.NONE).astype(np.int8)
    return np.take_along_axis(sources, first[None], axis=0)[0], origin


def aligned(sources: np.ndarray) -> np.ndarray:
    """Theory and DZ31 (rows of (3,61,161)) shifted by a constant for each Z, so that no edge is a step.

    Theory takes AME's energy at the most neutron-rich measured nuclide that it also has. DZ31 then takes the
    energy of AME and the shifted theory at the most neutron-rich nuclide of *those* that it also has: theory's
    edge, or AME's where there is no theory or AME goes further. Where two tables share no nuclide of a Z
    nothing says how they join, and that Z is not shifted. The step moves to the proton-rich edge, where crusts
    do not go. The result is one table, hence a function of state.
    """
    measured, theory, dz31 = sources
    theory = join(measured, theory)
    dz31 = join(mix(np.stack([measured, theory]))[0], dz31)
    return np.stack([measured, theory, dz31])


def join(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """`outer` with each row shifted to meet `inner` at the most neutron-rich nuclide of that Z in both."""
    difference = inner - outer
    shared = ~np.isnan(difference)
    edge = N_MAX - np.argmax(shared[:, ::-1], axis=1)
    shift = np.take_along_axis(difference, edge[:, None], axis=1)
    return outer + np.where(shared.any(axis=1, keepdims=True), shift, 0.0)
