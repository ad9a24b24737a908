"""The grid of pressures at which profiles are recorded, and where moves in pressure end for it."""

import jax.numpy as jnp
from jax import Array


def end_of_move(P: Array, grid_index: Array, dlnP: Array | float, grid: Array) -> Array:
    """Where a move from P by at most dlnP in ln P ends, MeV fm^-3: at the next recorded pressure if within reach.

    grid: (pressures,) to be recorded, MeV fm^-3; grid_index: index of the next of them.
    """
    P_grid, P_far = grid[jnp.minimum(grid_index, grid.shape[0] - 1)], P * jnp.exp(dlnP)
    return jnp.where(P_grid <= P_far * (1 + 1e-12), P_grid, P_far)
