"""Families of parameters that derivatives may be taken with respect to."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpucrust.masses import DZ31_COEFFICIENTS, DZ31_NAMES, MassModel, Origin, duflo_zuker
from gpucrust.masses.duflo_zuker import N_RANGE, Z_RANGE
from gpucrust.masses.liquid_drop import CHART_N, CHART_Z, LiquidDropConstants, liquid_drop_mass_excess
from gpucrust.masses.registry import aligned
from gpucrust.nuclide import N_MAX, Z_MAX
from gpucrust.physics.reactions import Source
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.support.precision import needs_x64

FAMILIES = ("masses", "dz31", "liquid_drop", "pycno", "g", "mdot", "neutron_eos", "lattice")
"""Names of the families, as `--wrt` takes them."""
LIQUID_DROP = "MB-refit"
"""Name of the mass model that is a liquid drop."""
LIQUID_DROP_UNITS = {
    "saturation_density": "fm-3",
    "binding": "MeV",
    "incompressibility": "MeV",
    "surface_tension": "MeV fm-2",
    "tension_exponent": "1",
    "tension_offset": "1",
    "diffuseness": "fm",
    "pairing": "MeV",
    "wigner": "MeV",
    "wigner_width": "1",
}
"""Unit of each constant of the liquid drop, in the order of LiquidDropConstants."""
ONE_FIELD = {
    "pycno": ("pycno_log10_scale", "1"),
    "g": ("g", "cm s-2"),
    "mdot": ("mdot", "g cm-2 s-1"),
    "lattice": ("lattice", "1"),
}
"""Families of one number: its field of Parameters and its unit."""


class Family(NamedTuple):
    """Parameters of one kind, for one member."""

    names: tuple[str, ...]
    """Name of each; none for masses, which go by their codes."""
    units: tuple[str, ...]
    """Unit of each, in the notation of UDUNITS."""
    values: np.ndarray
    """(n,) value of each."""
    directions: Parameters | None
    """Change of Parameters by one unit of each, (n, ...) each; None for masses, whose changes are their own."""


class FamilyError(ValueError):
    """Derivatives that make no sense for a mass model; the message is one line."""


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
    for by_one in np.moveaxis(change, -1, 0):
        sources = np.where(has, 0.0, np.nan)
        sources[Source.DUFLO_ZUKER] += by_one
        joined = aligned(sources) if model.policy == "aligned" else sources
        charts.append(np.where(own, joined[Source.DUFLO_ZUKER], 0.0).ravel())
    return np.stack(charts)


def liquid_drop_directions(model: MassModel, constants: LiquidDropConstants) -> np.ndarray:
    """(10, codes) change of E by each constant of the liquid drop, MeV per unit of the constant."""
    if model.name != LIQUID_DROP:
        raise FamilyError(f"mass model {model.name} is no liquid drop: --wrt liquid_drop needs {LIQUID_DROP}")
    jacobian = jax.jacfwd(liquid_drop_mass_excess, argnums=2)(np.maximum(CHART_Z, 1), CHART_N, constants)
    there = ~np.isnan(model.mixed)
    return np.stack([np.where(there, getattr(jacobian, name), 0.0).ravel() for name in LIQUID_DROP_UNITS])


@needs_x64
def family_of(name: str, model: MassModel, own: Parameters, drop: LiquidDropConstants) -> Family:
    """The Family of one member with the mass model and Parameters `own`; drop: the liquid drop's constants."""
    if name == "masses":
        return Family((), (), np.asarray(own.E), None)
    if name == "dz31":
        units = ("MeV",) * len(DZ31_NAMES)
        return _through_masses(DZ31_NAMES, units, DZ31_COEFFICIENTS, dz31_directions(model), own)
    if name == "liquid_drop":
        names, units = tuple(LIQUID_DROP_UNITS), tuple(LIQUID_DROP_UNITS.values())
        values = np.array([getattr(drop, constant) for constant in names])
        return _through_masses(names, units, values, liquid_drop_directions(model, drop), own)
    if name == "neutron_eos":
        powers = range(1, np.size(own.neutron) + 1)
        units = tuple(f"MeV fm{j if j > 1 else ''}" for j in powers)
        return _of_field("neutron", tuple(f"c_{j}" for j in powers), units, own)
    field, unit = ONE_FIELD[name]
    return _of_field(field, (field,), (unit,), own)


def _of_field(field: str, names: tuple[str, ...], units: tuple[str, ...], own: Parameters) -> Family:
    """The family of the numbers in one field of Parameters."""
    values = np.atleast_1d(np.asarray(getattr(own, field), float))
    unit_vectors = jnp.eye(values.size).reshape(values.size, *jnp.shape(getattr(own, field)))
    return Family(names, units, values, _no_change(values.size, own)._replace(**{field: unit_vectors}))


def _through_masses(
    names: tuple[str, ...], units: tuple[str, ...], values: np.ndarray, change: np.ndarray, own: Parameters
) -> Family:
    """A family that works through masses alone: the chain rule. change: (n, codes) of E by each."""
    return Family(names, units, np.asarray(values), _no_change(len(names), own)._replace(E=jnp.asarray(change)))


def _no_change(n: int, own: Parameters) -> Parameters:
    """Changes of Parameters, (n, ...) each, of nothing."""
    return jax.tree.map(lambda x: jnp.zeros((n, *jnp.shape(x))), own)


def along(family: Family, gradients: Parameters) -> np.ndarray:
    """Derivatives with respect to the family's parameters, (..., n), from gradients (..., of Parameters)."""
    if family.directions is None:
        return np.asarray(gradients.E)
    parts = [
        np.tensordot(np.asarray(g), np.asarray(d), axes=(range(g.ndim - (d.ndim - 1), g.ndim), range(1, d.ndim)))
        for g, d in zip(gradients, family.directions, strict=True)
    ]
    return sum(parts[1:], parts[0])
