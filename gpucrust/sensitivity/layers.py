"""Layers of a replay: which steps and bounds of R they begin and end at, and where that is.

Which step and which bound belongs to the sequence, and is found once from the tape. Where in pressure that is depends
smoothly on the parameters. R, the slope of mu_e(P) over that in diffusion equilibrium, is linear in ln P along a step.
"""

import itertools
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.profiles.layers import BOUNDS, regime_of, without_excursions
from gpucrust.schema import Regime
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.sides import Sides, thickness_per_ln_P

AT_START = -1.0
"""In place of a bound of R: the layer begins or ends at the start of the step, where R may jump over bounds."""
AT_END = -2.0
"""In place of a bound of R: the layer begins or ends at the end of the step, where R may jump over bounds."""


class Edge(NamedTuple):
    """Where a layer begins or ends; a pytree of scalars, or of arrays of one shape."""

    step: Any
    """Index of the step within which, or at an end of which, it lies."""
    bound: Any
    """The bound of R that is crossed there; or AT_START, AT_END."""


class Layer(NamedTuple):
    """A stretch of one regime; a pytree of scalars, or of arrays of one shape."""

    regime: Any
    """A Regime."""
    start: Edge
    """Where it begins."""
    end: Edge
    """Where it ends."""


NO_LAYER = Layer(int(Regime.EQUILIBRIUM), Edge(0, AT_START), Edge(0, AT_START))
"""What fills the room for layers beyond a crust's last one."""


class _Stretch(NamedTuple):
    """A Layer in the making, or a part of one."""

    layer: Layer
    low: float
    """Least R along it."""
    high: float
    """Largest R along it."""


def find_layers(moves: np.ndarray, R_start: np.ndarray, R_end: np.ndarray) -> list[Layer]:
    """All stretches of one regime, equilibrium included, of one crust.

    moves: steps in which pressure rises; R_start, R_end: (steps,) R at the start and the end of every step. An
    excursion over a bound of R and back counts as in `profiles.layers.find_layers`.
    """
    stretches = _joined(_cut_at_bounds(moves, R_start, R_end))
    low, high = (np.array([getattr(x, name) for x in stretches]) for name in ("low", "high"))
    regimes = without_excursions(np.zeros(len(stretches), int), low, high)
    counted = (x._replace(layer=x.layer._replace(regime=int(r))) for x, r in zip(stretches, regimes, strict=True))
    return [x.layer for x in _joined(counted)]


def _cut_at_bounds(moves: np.ndarray, R_start: np.ndarray, R_end: np.ndarray) -> Iterable[_Stretch]:
    """Steps, cut where R crosses a bound."""
    for s in moves:
        R0, R1 = float(R_start[s]), float(R_end[s])
        crossed = [b for b in (BOUNDS if R1 > R0 else BOUNDS[::-1]) if (R0 < b) != (R1 < b)]
        stops = [(R0, AT_START), *((b, b) for b in crossed), (R1, AT_END)]
        for (one, begin), (other, end) in itertools.pairwise(stops):
            regime = int(regime_of(np.array((one + other) / 2)))
            yield _Stretch(Layer(regime, Edge(s, begin), Edge(s, end)), min(one, other), max(one, other))


def _joined(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """The stretches with neighbours of one regime made one."""

    def join(x: _Stretch, y: _Stretch) -> _Stretch:
        return _Stretch(x.layer._replace(end=y.layer.end), min(x.low, y.low), max(x.high, y.high))

    return [reduce(join, group) for _, group in itertools.groupby(stretches, key=lambda x: x.layer.regime)]


def stack_layers(layers: Sequence[Layer]) -> Layer:
    """Layers as one, of NumPy arrays (layers,)."""

    def stack(edges: list[Edge]) -> Edge:
        return Edge(np.array([x.step for x in edges], int), np.array([x.bound for x in edges], float))

    regimes = np.array([x.regime for x in layers], int)
    return Layer(regimes, stack([x.start for x in layers]), stack([x.end for x in layers]))


def edges_of(layers: Layer) -> Edge:
    """Both edges of layers (n,): (n, 2) each, start and end."""
    return jax.tree.map(lambda *edges: jnp.stack(edges, axis=-1), layers.start, layers.end)


def fraction_at(edge: Edge, sides: Sides) -> Array:
    """How far along its step, in ln P, an edge lies: where R reaches the bound."""
    R0, R1 = sides.start.R[edge.step], sides.end.R[edge.step]
    crosses = (edge.bound != AT_START) & (edge.bound != AT_END)
    rise = jnp.where(crosses & (R1 != R0), R1 - R0, 1.0)
    return jnp.where(crosses, (edge.bound - R0) / rise, jnp.where(edge.bound == AT_END, 1.0, 0.0))


def pressure_at(edge: Edge, sides: Sides) -> Array:
    """Pressure at an edge, MeV fm^-3."""
    first, last = sides.start.P[edge.step], sides.end.P[edge.step]
    return jnp.exp(jnp.log(first) + fraction_at(edge, sides) * jnp.log(last / first))


def thickness_of(layers: Layer, sides: Sides, parameters: Parameters) -> Array:
    """Thickness of layers (n,), m: the integral of dP/(rho g), whose integrand is linear in ln P along a step."""
    first, last = (thickness_per_ln_P(side, parameters) for side in sides)
    within = (first + last) / 2 * jnp.log(sides.end.P / sides.start.P)
    depth = jnp.cumsum(within) - within
    edge = edges_of(layers)
    w, s = fraction_at(edge, sides), edge.step
    in_step = w * (first[s] + w / 2 * (last[s] - first[s])) * jnp.log(sides.end.P[s] / sides.start.P[s])
    start, end = jnp.moveaxis(depth[s] + in_step, -1, 0)
    return end - start
