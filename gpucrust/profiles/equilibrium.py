"""Where diffusion equilibrium breaks in every evolution of a plan: slopes, regimes, layers."""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.engine.engines import engine_of
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import matter_of
from gpucrust.physics import eos
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.physics.slopes import frozen_slope, nodiff_slope
from gpucrust.profiles.curves import PIECES_OF, Pieces
from gpucrust.profiles.layers import (
    Layers,
    depth_times_g,
    equilibrium_ratio_profile,
    find_layers,
    ratios_along,
    regime_profile,
    thickness_times_g,
)
from gpucrust.schema import NO_RESULT, Regime
from gpucrust.sweep.plan import Plan


@dataclass(frozen=True)
class Analysis:
    """Where equilibrium breaks in every evolution: arrays (evolution, pressure), and layers one after the other."""

    nodiff: np.ndarray
    """Slope of mu_e in diffusion equilibrium (CS20 eq. 7), MeV/(dyn cm^-2)."""
    ratio: np.ndarray
    """R, the slope of mu_e over `nodiff`; NaN without a result."""
    regime: np.ndarray
    """int8, a `Regime`, or NO_RESULT."""
    depth_g: np.ndarray
    """Depth below the first pressure times g, cm^2 s^-2; NaN without a result."""
    layers: Layers
    """Layers out of equilibrium; none of a member that failed."""
    thickness_g: np.ndarray
    """(layers,) their thickness times g, cm^2 s^-2."""


@jax.jit
def _at_recorded_pressures(n_b: Array, mixture: Mixture, matter: Matter) -> tuple[Array, Array, Array]:
    """mu_e, MeV, and its slopes in diffusion equilibrium and at frozen composition, MeV/(dyn cm^-2)."""
    mu_e = eos.electron_chemical_potential(n_b * mixture.Y_e)
    nodiff = nodiff_slope(n_b, mixture, matter) / DYN_PER_CM2
    return mu_e, nodiff, frozen_slope(n_b, mixture, matter) / DYN_PER_CM2


def _pieces(plan: Plan, evolution: Evolution, mu_e: np.ndarray, good: np.ndarray) -> Pieces:
    """The pieces of mu_e(P) of the evolutions `good`, by what the segments of their engine are."""
    profiles = {name: values[good] for name, values in evolution.profiles.items()}
    kind = engine_of(plan.physics, plan.stepper).segments
    return PIECES_OF[kind](plan.pressures, mu_e, evolution.segments[good], profiles)


def analyse(plan: Plan, evolution: Evolution) -> Analysis:
    """Slopes, regimes and layers of all evolutions. float64 must be on."""
    p, P = evolution.profiles, plan.pressures
    matter = matter_of(plan.physics)
    mixture = Mixture(p["Y_e"], p["Y_n"], p["Y_z53"])
    mu_e, nodiff, frozen = (np.asarray(x) for x in _at_recorded_pressures(p["n_b"], mixture, matter))
    ratio, depth_g = np.full_like(mu_e, np.nan), np.full_like(mu_e, np.nan)
    regime = np.full(mu_e.shape, NO_RESULT, np.int8)
    good = np.flatnonzero(~np.isnan(p["n_b"][:, 0]))
    if not good.size:
        none = Layers(np.empty(0, int), np.empty(0, np.int8), np.empty(0), np.empty(0))
        return Analysis(nodiff, ratio, regime, depth_g, none, np.empty(0))
    pieces = _pieces(plan, evolution, mu_e[good], good)
    ratios = ratios_along(pieces, P, nodiff[good])
    ratio[good] = equilibrium_ratio_profile(pieces, ratios, P, (frozen / nodiff)[good])
    layers = find_layers(pieces, ratios, P)
    regime[good] = regime_profile(layers, P, len(good))
    depth = depth_times_g(P, p["n_b"][good] * RHO_PER_N_B)
    depth_g[good] = depth
    broken = layers[layers.regime != Regime.EQUILIBRIUM]
    thickness_g = thickness_times_g(broken, P, depth)
    layers = Layers(good[broken.crust], broken.regime, broken.P_start, broken.P_end)
    return Analysis(nodiff, ratio, regime, depth_g, layers, thickness_g)
