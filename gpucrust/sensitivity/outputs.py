"""What a crust is asked for, from a replay: profiles, thresholds, layers, heat; all smooth in the parameters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.physics import eos
from gpucrust.schema import Regime
from gpucrust.sensitivity.layers import edges_of, pressure_at, thickness_of
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.replay import Steps, replay
from gpucrust.sensitivity.sides import flux_ratio, heat_of_steps, sides_of
from gpucrust.sensitivity.structure import Structure, value_at
from gpucrust.sensitivity.tape import NONE
from gpucrust.support.precision import needs_x64


class Outputs(NamedTuple):
    """What may be asked for, by the names and in the units of the dataset; a pytree of arrays."""

    mu_e: Array
    """(pressures,) chemical potential of electrons, with rest mass, MeV."""
    mu_n: Array
    """(pressures,) chemical potential of free neutrons, without rest mass, MeV."""
    rho: Array
    """(pressures,) density, g cm^-3."""
    Y_e: Array
    """(pressures,) electrons per baryon."""
    X_n: Array
    """(pressures,) mass fraction of free neutrons."""
    heat: Array
    """(pressures,) heat released up to there, MeV per baryon."""
    equilibrium_ratio: Array
    """(pressures,) slope of mu_e(P) over that in diffusion equilibrium, R."""
    J_ratio: Array
    """(pressures,) flux of neutrons over that of accretion."""
    threshold_pressure: Array
    """(steps,) pressure after every step, dyn cm^-2; it depends on parameters where the step has an event."""
    layer_P_start: Array
    """(MAX_LAYERS,) pressure at which each layer out of equilibrium begins, dyn cm^-2; 0 beyond the last."""
    layer_P_end: Array
    """(MAX_LAYERS,) pressure at which each layer ends, dyn cm^-2; 0 beyond the last."""
    layer_thickness: Array
    """(MAX_LAYERS,) thickness of each layer, m; 0 beyond the last."""
    total_heat: Array
    """Heat released by all of the crust, MeV per baryon."""
    broken_thickness: Array
    """Thickness of all layers, m."""
    max_J_ratio: Array
    """Largest flux of neutrons in layers, over that of accretion; 0 without layers."""


@needs_x64
def outputs_of(steps: Steps, structure: Structure, parameters: Parameters, iterations: int = 0) -> Outputs:
    """All outputs of one crust as functions of the parameters, at its fixed sequence. iterations: see `replay`."""
    path = replay(steps, parameters, iterations)
    sides = sides_of(steps, path, parameters)
    start, end = sides
    heat = jnp.cumsum(heat_of_steps(steps, path, sides, parameters))
    grid = jax.tree.map(lambda x: x[structure.grid_step], end)._replace(R=value_at(structure.ratio, start.R, end.R))
    layers = jax.tree.map(jnp.asarray, structure.layers)
    broken = layers.regime != Regime.EQUILIBRIUM
    P_layer = jnp.where(broken[:, None], pressure_at(edges_of(layers), sides) * DYN_PER_CM2, 0.0)
    layer_P_start, layer_P_end = jnp.moveaxis(P_layer, -1, 0)
    thickness = jnp.where(broken, thickness_of(layers, sides, parameters), 0.0)
    flux = value_at(structure.flux, *(jnp.abs(flux_ratio(side, parameters)) for side in sides))
    return Outputs(
        mu_e=eos.electron_chemical_potential(grid.n_b * grid.sums.Y_e),
        mu_n=eos.neutron_chemical_potential(grid.n_b * grid.sums.Y_n, parameters.matter),
        rho=grid.n_b * RHO_PER_N_B,
        Y_e=grid.sums.Y_e,
        X_n=grid.sums.Y_n,
        heat=heat[structure.grid_step],
        equilibrium_ratio=grid.R,
        J_ratio=flux_ratio(grid, parameters),
        threshold_pressure=end.P * DYN_PER_CM2,
        layer_P_start=layer_P_start,
        layer_P_end=layer_P_end,
        layer_thickness=thickness,
        total_heat=heat[-1],
        broken_thickness=jnp.sum(thickness),
        max_J_ratio=jnp.where(structure.flux.step == NONE, 0.0, flux),
    )
