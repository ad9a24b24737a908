"""The first minimum of an array, in two passes that vectorise: an argmin is compiled to a scalar loop on a CPU."""

import jax
import jax.numpy as jnp
from jax import Array

WIDTH = 8


def first_minimum(values: Array) -> tuple[Array, Array]:
    """(index in the flattened array, value) of the smallest of `values`, the first of equals; inf counts as absent."""
    # without the barrier whatever makes the values would become part of the loop, and keep it from vectorising
    flat = jax.lax.optimization_barrier(values.ravel())
    rows = -(-flat.size // WIDTH)
    padded = jnp.pad(flat, (0, rows * WIDTH - flat.size), constant_values=jnp.inf).reshape(rows, WIDTH)
    least = jnp.min(jnp.min(padded, axis=0))
    index = jnp.arange(rows * WIDTH).reshape(rows, WIDTH)
    first = jnp.min(jnp.min(jnp.where(padded == least, index, rows * WIDTH), axis=0))
    return jnp.minimum(first, flat.size - 1), least
