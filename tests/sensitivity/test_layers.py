"""Layers of a replay: the same rules as layers of a result, and where R reaches a bound."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.profiles.layers import BAND, BOUNDS, FLAT, STEEP
from gpucrust.schema import Regime
from gpucrust.sensitivity.layers import AT_END, AT_START, Edge, find_layers, fraction_at
from gpucrust.sensitivity.sides import Side, Sides


def layers_along(R):
    """Layers of steps along which R goes from each value to the next."""
    R = np.asarray(R, float)
    return find_layers(np.arange(len(R) - 1), R[:-1], R[1:])


def test_layers_begin_and_end_where_R_crosses_bounds():
    layers = layers_along([1.0, 1.2, 0.2, 0.3, 1.0])
    assert [x.regime for x in layers] == [Regime.EQUILIBRIUM, Regime.FLAT, Regime.EQUILIBRIUM]
    assert [x.start for x in layers] == [Edge(0, AT_START), Edge(1, FLAT), Edge(3, FLAT)]
    assert [x.end for x in layers] == [Edge(1, FLAT), Edge(3, FLAT), Edge(3, AT_END)]


def test_a_jump_of_R_begins_a_layer_at_a_step():
    before, after = find_layers(np.array([2, 5]), np.array([9, 9, 1.0, 9, 9, 0.0]), np.array([9, 9, 1.1, 9, 9, 0.1]))
    assert (before.end, after.start) == (Edge(2, AT_END), Edge(5, AT_START))


@pytest.mark.parametrize("beyond", [0.5 * BAND, 2 * BAND])
def test_an_excursion_over_a_bound_counts_beyond_the_band_alone(beyond):
    regimes = [x.regime for x in layers_along([1.0, STEEP + beyond, 1.0, STEEP + 2 * BAND, 2.0])]
    counts = [Regime.STEEP, Regime.EQUILIBRIUM] if beyond > BAND else []
    assert regimes == [Regime.EQUILIBRIUM, *counts, Regime.STEEP]


@pytest.mark.parametrize("bound", BOUNDS)
def test_an_edge_lies_where_R_reaches_the_bound(bound):
    one, none = jnp.ones(1), None
    sides = Sides(Side(one, one, none, one * (bound - 0.1)), Side(one, one, none, one * (bound + 0.3)))
    np.testing.assert_allclose(fraction_at(Edge(0, jnp.array(bound)), sides), 0.25, rtol=1e-12)
    assert fraction_at(Edge(0, jnp.array(AT_START)), sides) == 0.0
    assert fraction_at(Edge(0, jnp.array(AT_END)), sides) == 1.0
