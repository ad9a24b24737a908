"""The first minimum of an array, as the platform does it fast.

An argmin is compiled to a scalar loop on a CPU, where two passes vectorise; a GPU would write and read its values for
each of them.
"""

import jax
import jax.numpy as jnp
from jax import Array

WIDTH = 8
"""Numbers that a CPU compares at a time, in the two passes."""


def first_minimum(values: Array) -> tuple[Array, Array]:
    """(index in the flattened array, value) of the smallest of `values`, the first of equals; inf counts as absent."""
    return jax.lax.platform_dependent(values.ravel(), cpu=_two_passes, default=_one_pass)


def _one_pass(flat: Array) -> tuple[Array, Array]:
    first = jnp.argmin(flat)
    return first, flat[first]


def _two_passes(flat: Array) -> tuple[Array, Array]:
    # without the barrier whatever makes the values would become part of the loop, and keep it from vectorising
    flat = jax.lax.optimization_barrier(flat)
    rows = -(-flat.size // WIDTH)
    padded = jnp.pad(flat, (0, rows * WIDTH - flat.size), constant_values=jnp.inf).reshape(rows, WIDTH)
    least = jnp.min(jnp.min(padded, axis=0))
    index = jnp.arange(rows * WIDTH).reshape(rows, WIDTH)
    first = jnp.min(jnp.min(jnp.where(padded == least, index, rows * WIDTH), axis=0))
    return jnp.minimum(first, flat.size - 1), least
