"""Choices without branches: a lane takes the same program whatever it chooses, so none waits for another."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def choose(condition: Array, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; pytrees of one form."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def first_that_holds(rows: Sequence[tuple[Array, int]], otherwise: int) -> Array:
    """The value of the first row (condition, value) whose condition holds; `otherwise` if none does."""
    value = jnp.array(int(otherwise))
    for condition, then in reversed(rows):
        value = jnp.where(condition, int(then), value)
    return value
