"""Parameters: what a crust depends on at a fixed sequence of reactions, and how well a mass model knows its masses."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gpucrust.constants import NEUTRON_MATTER
from gpucrust.engine.inputs import Members, Physics
from gpucrust.engine.network import MassErrors, drawn_errors, member_key
from gpucrust.masses import MassModel, Origin, packaged_table
from gpucrust.masses.registry import energy_chart
from gpucrust.physics.eos import Matter
from gpucrust.support.precision import needs_x64

NO_MASS = 0.0
"""E of a nuclide without a mass, MeV; any finite number would do, because no step refers to it."""
LIGHTEST_TESTED = 8
"""Smallest charge and neutron number of nuclides whose measured masses theory is held against, as is customary."""


class Parameters(NamedTuple):
    """What a crust depends on at a fixed sequence; a pytree of arrays."""

    E: Any
    """(codes,) nuclear mass energy less A m_u, MeV, of all nuclides of the chart; NO_MASS for one without."""
    pycno_log10_scale: Any
    """Logarithm, to base 10, of the factor on fusion rates."""
    g: Any
    """Surface gravity, cm s^-2."""
    mdot: Any
    """Accretion rate, g cm^-2 s^-1."""
    neutron: Any
    """(m,) coefficients of neutron matter, MeV fm^j (`eos.NEUTRON_MATTER`)."""
    lattice: Any
    """Strength of the lattice term: 0 without, 1 with."""

    @property
    def matter(self) -> Matter:
        """What the equation of state depends on."""
        return Matter(jnp.asarray(self.neutron), self.lattice)


@needs_x64
def parameters_of(
    model: MassModel, member: int, members: Members, physics: Physics, g: float, mdot: float
) -> Parameters:
    """Parameters of one of the members, `member` its index, with g in cm s^-2 and mdot in g cm^-2 s^-1."""
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


@dataclass(frozen=True)
class MassSigma:
    """What a model's masses leave uncertain."""

    chart: np.ndarray
    """(codes,) standard error of each mass, MeV; 0 where it is measured or missing."""
    rms: dict[str, float]
    """Standard error of each table that is not measured, MeV, by the name of its Origin."""


def mass_sigma(model: MassModel) -> MassSigma:
    """Standard errors of a model's masses: of theory and of DZ31 the rms against measured masses.

    Measured masses count as exact: their errors, a few keV at most where crusts go, are not packaged.
    """
    measured = energy_chart(packaged_table(model.ame))
    measured[:LIGHTEST_TESTED], measured[:, :LIGHTEST_TESTED] = np.nan, np.nan
    chart, rms = np.zeros(model.origin.shape), {}
    for origin in (Origin.THEORY, Origin.DUFLO_ZUKER):
        if np.any(model.origin == origin):
            difference = model.sources[origin - Origin.MEASURED] - measured
            rms[origin.name.lower()] = float(np.sqrt(np.nanmean(difference**2)))
            chart[model.origin == origin] = rms[origin.name.lower()]
    return MassSigma(chart.ravel(), rms)
