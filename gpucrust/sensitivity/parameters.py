"""Families of parameters that derivatives may be taken with respect to, and what a mass model leaves uncertain."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.engine.inputs import Members, Physics
from gpucrust.engine.network import MassErrors, drawn_errors, member_key
from gpucrust.masses import DZ31_COEFFICIENTS, DZ31_NAMES, MassModel, Origin, duflo_zuker, packaged_table
from gpucrust.masses.duflo_zuker import N_RANGE, Z_RANGE
from gpucrust.masses.liquid_drop import CHART_N, CHART_Z, LiquidDropConstants, liquid_drop_mass_excess
from gpucrust.masses.registry import aligned, energy_chart
from gpucrust.nuclide import N_MAX, Z_MAX
from gpucrust.physics.eos import NEUTRON_MATTER
from gpucrust.sensitivity.derivatives import NO_MASS
from gpucrust.sensitivity.replay import Parameters
from gpucrust.support.precision import needs_x64

FAMILIES = ("masses", "dz31", "liquid_drop", "pycno", "g", "mdot", "neutron_eos", "lattice")
LIQUID_DROP = "MB-refit"


class Family(NamedTuple):
    """Parameters of one kind, for one member."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray  # (n,)
    directions: Parameters | None
    """Change of Parameters by one unit of each, (n, ...) each; None for masses, whose changes are their own."""


class FamilyError(ValueError):
    """Derivatives that make no sense for a mass model; the message is one line."""


@needs_x64
def parameters_of(
    model: MassModel, member: int, members: Members, physics: Physics, g: float, mdot: float
) -> Parameters:
    """Parameters of an evolution: member is its index among members; g, mdot in CGS, of which it is made with."""
    E = np.where(np.isnan(model.mixed), NO_MASS, model.mixed).ravel()
    sample = int(members.sample[member])
    if sample > 0 and physics.sigma > 0:
        errors = MassErrors(member_key(physics.seed, sample), physics.sigma)
        theory = (model.origin > Origin.MEASURED).ravel()
        E = E + theory * np.asarray(drawn_errors(errors, E.size))
    return Parameters(
        E=jnp.asarray(E),
        pycno_log10_scale=jnp.asarray(float(members.pycno_log10_scale[member])),
        g=jnp.asarray(float(g)),
        mdot=jnp.asarray(float(mdot)),
        neutron=jnp.asarray(NEUTRON_MATTER[physics.neutron_eos]),
        lattice=jnp.asarray(float(physics.lattice)),
    )


def dz31_directions(model: MassModel) -> np.ndarray:
    """(33, codes) change of E by each coefficient of DZ31, MeV per MeV.

    Joining tables is affine in them, so that the policy's own code joins the derivatives too (`aligned` shifts).
    """
    own = model.origin == Origin.DUFLO_ZUKER
    if not own.any():
        raise FamilyError(f"mass model {model.name} has no masses of DZ31: take another with --wrt dz31")
    Z, N = (
        np.clip(x, *limits) for x, limits in zip(np.mgrid[: Z_MAX + 1, : N_MAX + 1], (Z_RANGE, N_RANGE), strict=True)
    )
    change = np.asarray(jax.jacfwd(duflo_zuker, argnums=2)(Z, N, jnp.asarray(DZ31_COEFFICIENTS)))
    has = ~np.isnan(model.sources)
    charts = []
    for one in np.moveaxis(change, -1, 0):
        sources = np.stack(
            [np.where(has[0], 0.0, np.nan), np.where(has[1], 0.0, np.nan), np.where(has[2], one, np.nan)]
        )
        joined = aligned(sources)[2] if model.policy == "aligned" else sources[2]
        charts.append(np.where(own, joined, 0.0).ravel())
    return np.stack(charts)


def liquid_drop_directions(model: MassModel, constants: LiquidDropConstants) -> np.ndarray:
    """(10, codes) change of E by each constant of the liquid drop, MeV per unit of the constant."""
    if model.name != LIQUID_DROP:
        raise FamilyError(f"mass model {model.name} is no liquid drop: --wrt liquid_drop needs {LIQUID_DROP}")
    jacobian = jax.jacfwd(liquid_drop_mass_excess, argnums=2)(np.maximum(CHART_Z, 1), CHART_N, constants)
    there = ~np.isnan(model.mixed)
    return np.stack([np.where(there, getattr(jacobian, f.name), 0.0).ravel() for f in fields(constants)])


@needs_x64
def family_of(name: str, model: MassModel, own: Parameters, drop: LiquidDropConstants) -> Family:
    """The Family of one member with the mass model and Parameters `own`; drop: the liquid drop's constants."""
    if name == "masses":
        return Family((), (), np.asarray(own.E), None)
    if name == "dz31":
        return _through_masses(DZ31_NAMES, ("MeV",) * 33, DZ31_COEFFICIENTS, dz31_directions(model), own)
    if name == "liquid_drop":
        names = tuple(f.name for f in fields(drop))
        values = np.array([getattr(drop, n) for n in names])
        return _through_masses(names, LIQUID_DROP_UNITS, values, liquid_drop_directions(model, drop), own)
    field, unit = {
        "pycno": ("pycno_log10_scale", "1"),
        "g": ("g", "cm s-2"),
        "mdot": ("mdot", "g cm-2 s-1"),
        "neutron_eos": ("neutron", "MeV fm{}"),
        "lattice": ("lattice", "1"),
    }[name]
    values = np.atleast_1d(np.asarray(getattr(own, field), float))
    if name == "neutron_eos":
        names = tuple(f"c_{j}" for j in range(1, values.size + 1))
        units = tuple(unit.format(j if j > 1 else "") for j in range(1, values.size + 1))
    else:
        names, units = (field,), (unit,)
    nothing = jax.tree.map(lambda x: jnp.zeros((values.size, *jnp.shape(x))), own)
    unit_vectors = jnp.eye(values.size).reshape(values.size, *jnp.shape(getattr(own, field)))
    return Family(names, units, values, nothing._replace(**{field: unit_vectors}))


LIQUID_DROP_UNITS = ("fm-3", "MeV", "MeV", "MeV fm-2", "1", "1", "fm", "MeV", "MeV", "1")


def _through_masses(
    names: tuple[str, ...], units: tuple[str, ...], values: np.ndarray, change: np.ndarray, own: Parameters
) -> Family:
    """A family that works through masses alone: the chain rule."""
    nothing = jax.tree.map(lambda x: jnp.zeros((len(names), *jnp.shape(x))), own)
    return Family(names, units, np.asarray(values), nothing._replace(E=jnp.asarray(change)))


@dataclass(frozen=True)
class MassSigma:
    """What a model's masses leave uncertain."""

    chart: np.ndarray  # (codes,) MeV; 0 where measured or missing
    rms: dict[str, float]  # MeV, by origin


def mass_sigma(model: MassModel) -> MassSigma:
    """Standard errors of a model's masses: of theory and of DZ31 the rms against measured masses with Z, N >= 8.

    Measured masses count as exact: their errors, a few keV at most where crusts go, are not packaged.
    """
    measured = energy_chart(packaged_table(model.ame))
    measured[:8], measured[:, :8] = np.nan, np.nan
    chart, rms = np.zeros(model.origin.shape), {}
    for origin in (Origin.THEORY, Origin.DUFLO_ZUKER):
        if np.any(model.origin == origin):
            difference = model.sources[origin - 1] - measured
            rms[origin.name.lower()] = float(np.sqrt(np.nanmean(difference**2)))
            chart[model.origin == origin] = rms[origin.name.lower()]
    return MassSigma(chart.ravel(), rms)


def along(family: Family, gradients: Parameters) -> np.ndarray:
    """Derivatives with respect to the family's parameters, (..., n), from gradients (..., of Parameters)."""
    if family.directions is None:
        return np.asarray(gradients.E)
    parts = [
        np.tensordot(np.asarray(g), np.asarray(d), axes=(range(g.ndim - (d.ndim - 1), g.ndim), range(1, d.ndim)))
        for g, d in zip(gradients, family.directions, strict=True)
    ]
    return sum(parts[1:], parts[0])
