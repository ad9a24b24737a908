"""Which reaction goes first: the rules of urgency, shared by all engines.

Of all that is allowed a reaction of the lowest class goes first: the fastest kind. In a class it is the channel of the
most negative affinity, or the fusion of the shortest burn time. Of equals the first goes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gpucrust.engine.interface import SCARCE
from gpucrust.physics.reactions import CHANNEL_K, FAST_FUSION, SLOW_FUSION
from gpucrust.support.minimum import first_minimum


def most_urgent(allowed: Array, order: Array, classes: ArrayLike) -> tuple[Array, Array, Array]:
    """The most urgent of several reactions: its class, its index in the flattened arrays, and its `order`.

    order: what decides in a class, the least being first. If nothing is allowed, class and order are inf.
    """
    lowest = jnp.min(jnp.where(allowed, classes, jnp.inf))
    first, least = first_minimum(jnp.where(allowed & (classes == lowest), order, jnp.inf))
    return lowest, first, least


def enough_neutrons(Y_n: Array, chunk: Array) -> Array:
    """Whether there are free neutrons for each channel, (channels,): captures of scarce neutrons do not happen."""
    return jnp.asarray(CHANNEL_K >= 0) | (Y_n > -jnp.asarray(CHANNEL_K) * SCARCE * chunk)


def fusion_class(ln_tau: Array, ln_t_weak: Array) -> Array:
    """Class of a fusion: it goes before electron captures if it is faster than they are; ln of times in s."""
    return jnp.where(ln_tau < ln_t_weak, FAST_FUSION, SLOW_FUSION)


def fastest_fusion(
    burning: Array, ln_time: Array, product_of: Callable[[Array], tuple[Array, Array, Array]]
) -> tuple[Array, tuple[Array, Array, Array]]:
    """The fastest of the pairs that burn and whose fusion releases energy, and its product.

    burning, ln_time: (pairs,), the latter ln of burn times in any unit. product_of: of the index of a pair, the code of
    what it fuses to, the neutrons set free, and the energy released in MeV, which is <= 0 if there is no such pair.
    Nearly always the fastest pair releases energy and the loop runs once; a pair that does not is passed over.
    """

    def search_goes_on(carry: tuple) -> Array:
        return jnp.any(carry[0]) & (carry[-1] <= 0)

    def try_next(carry: tuple) -> tuple:
        left = carry[0]
        pair, _ = first_minimum(jnp.where(left, ln_time, jnp.inf))
        return left & (jnp.arange(left.shape[0]) != pair), pair, *product_of(pair)

    zero = jnp.array(0)
    begin = burning, zero, zero, zero, jnp.array(0.0)
    _, pair, *product = jax.lax.while_loop(search_goes_on, try_next, begin)
    return pair, (product[0], product[1], product[2])
