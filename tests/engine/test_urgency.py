"""Urgency: the lowest class, in it the least order, of equals the first; the fastest fusion that releases energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucrust.engine import urgency
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNEL_K, CHANNELS, FAST_FUSION, SLOW_FUSION, WEAK

FEW = st.integers(-3, 3).map(float)  # so that some are equal


@jax.jit
def most_urgent(allowed, g):
    return urgency.most_urgent(allowed, g, CHANNEL_CLASS[:, None])


@jax.jit
def fastest_fusion(burning, ln_time, energy):
    """Of pairs whose products have codes and neutrons that tell which pair it is."""
    return urgency.fastest_fusion(burning, ln_time, lambda p: (10 * p, p, energy[p].astype(float)))


@settings(deadline=None)
@given(order=st.lists(st.tuples(st.booleans(), FEW), min_size=2 * CHANNELS, max_size=2 * CHANNELS))
def test_the_first_of_the_least_in_the_lowest_class_goes(order):
    allowed, g = (np.array(x).reshape(CHANNELS, 2) for x in zip(*order, strict=True))
    lowest, index, least = most_urgent(jnp.asarray(allowed), jnp.asarray(g))
    may = [(CHANNEL_CLASS[i // 2], g.flat[i], i) for i in range(g.size) if allowed.flat[i]]
    if may:
        assert (float(lowest), float(least), int(index)) == min(may)
    else:
        assert float(lowest) == float(least) == np.inf


def test_a_fusion_goes_before_electron_captures_if_it_is_faster_than_they_are():
    of = urgency.fusion_class(jnp.array([-1.0, 1.0]), jnp.array(0.0))
    assert of.tolist() == [FAST_FUSION, SLOW_FUSION]
    assert FAST_FUSION < WEAK < SLOW_FUSION


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.booleans(), FEW, st.integers(-1, 1)), min_size=6, max_size=6))
def test_the_fastest_fusion_is_one_that_releases_energy(pairs):
    burning, ln_time, energy = (np.array(x) for x in zip(*pairs, strict=True))
    pair, (code, k, released) = fastest_fusion(*map(jnp.asarray, (burning, ln_time, energy)))
    may = [(ln_time[i], i) for i in range(6) if burning[i] and energy[i] > 0]
    if may:
        best = min(may)[1]
        assert (int(pair), int(code), int(k), float(released)) == (best, 10 * best, best, 1.0)
    else:
        assert released <= 0


@pytest.mark.parametrize("Y_n", [0.0, 0.9e-3, 1.5e-3, 2.5e-3])
def test_scarce_neutrons_are_not_captured(Y_n):
    enough = np.asarray(urgency.enough_neutrons(jnp.array(Y_n), jnp.array(1.0)))
    takes = np.maximum(-CHANNEL_K, 0)
    np.testing.assert_array_equal(enough, (takes == 0) | (Y_n > 1e-3 * takes))
