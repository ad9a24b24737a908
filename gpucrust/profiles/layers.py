"""Where diffusion equilibrium breaks: the slope of mu_e(P), its regimes, and layers of one regime (CS20 section 3).

All crusts of a batch at once: pieces of mu_e(P), nodes of R along them, and layers are flat arrays (`ragged`).
"""

from dataclasses import dataclass

import numpy as np

from gpucrust.profiles.curves import Pieces
from gpucrust.profiles.ragged import interpolate, latest, reduce_ranges
from gpucrust.schema import Regime

BOUNDS = DECREASING, FLAT, STEEP = -1e-4, 0.5, 1.5
"""Bounds of R, the slope dmu_e/dP over that of diffusion equilibrium (eq. 7). That between flat and decreasing is zero
less what rounding makes of it: R is exactly zero along the capture of an electron that sets no neutron free."""
BAND = 0.02
"""Distance by which R must go beyond one of BOUNDS to count: R is known to a few 1e-3 at the default chunk."""

_BETWEEN = {
    frozenset((int(Regime.DECREASING), int(Regime.FLAT))): DECREASING,
    frozenset((int(Regime.FLAT), int(Regime.EQUILIBRIUM))): FLAT,
    frozenset((int(Regime.EQUILIBRIUM), int(Regime.STEEP))): STEEP,
}
"""The one of BOUNDS that lies between two regimes."""


def regime_of(R: np.ndarray) -> np.ndarray:
    """Regime of equilibrium ratios, int8; not-a-number counts as equilibrium."""
    R = np.asarray(R)
    kinds = [(R < DECREASING, Regime.DECREASING), (R < FLAT, Regime.FLAT), (R > STEEP, Regime.STEEP)]
    return np.select([mask for mask, _ in kinds], [int(kind) for _, kind in kinds], int(Regime.EQUILIBRIUM)).astype(
        np.int8
    )


@dataclass(frozen=True)
class Ratios:
    """R along pieces, linear in ln P between nodes: the start of a piece, the middles of its intervals, its end."""

    ln_P: np.ndarray
    """(nodes,) ln of the pressure in dyn cm^-2."""
    R: np.ndarray
    """(nodes,) minus infinity at a jump."""
    first: np.ndarray
    """(pieces,) first node of each."""
    last: np.ndarray
    """(pieces,) last node of each."""


def ratios_along(pieces: Pieces, pressures: np.ndarray, nodiff: np.ndarray) -> Ratios:
    """R along pieces, from differences.

    nodiff: slope of diffusion equilibrium at `pressures`, MeV/(dyn cm^-2), (crusts, n). It is taken from recorded
    points within the piece where there are any, because composition jumps at the ends of pieces.
    """
    crusts, n = nodiff.shape
    P, first, last = pieces.P, pieces.first, pieces.last
    piece = np.repeat(np.arange(len(first)), pieces.count)
    begins = np.zeros(len(P), bool)
    begins[first] = True
    left = np.flatnonzero(~begins) - 1  # of every interval within a piece
    middle = np.sqrt(P[left + 1] * P[left])
    with np.errstate(divide="ignore"):
        slope = (pieces.mu_e[left + 1] - pieces.mu_e[left]) / (P[left + 1] - P[left])
    known, beyond = np.searchsorted(pressures, P[first]), np.searchsorted(pressures, P[last], side="right")
    known, beyond = np.where(beyond > known, known, 0), np.where(beyond > known, beyond, n)
    # n dmu/dP varies slowly: interpolate slope times pressure
    own, ln_P, ln_middle = piece[left], np.log(pressures), np.log(middle)
    row = pieces.crust[own] * n
    place = row + np.searchsorted(ln_P, ln_middle, side="right") - 1
    scaled = interpolate(
        ln_middle, np.tile(ln_P, crusts), (nodiff * pressures).ravel(), place, row + known[own], row + beyond[own] - 1
    )
    ratio = slope * middle / scaled
    # a piece of m points has m - 1 middles and m + 1 nodes
    first_node, last_node = first + np.arange(len(first)), last + np.arange(len(first)) + 1
    ends = np.ones(len(P) + len(first), bool)
    ends[first_node] = ends[last_node] = False
    x, R = np.empty(len(ends)), np.empty(len(ends))
    x[ends], R[ends] = ln_middle, ratio
    x[first_node], R[first_node] = np.log(P[first]), R[first_node + 1]
    x[last_node], R[last_node] = np.log(P[last]), R[last_node - 1]
    return Ratios(x, R, first_node, last_node)


def equilibrium_ratio_profile(
    pieces: Pieces, ratios: Ratios, pressures: np.ndarray, frozen_ratio: np.ndarray
) -> np.ndarray:
    """R at the recorded pressures, (crusts, n): along the marginal reaction where one is, else `frozen_ratio`.

    frozen_ratio: slope at frozen composition over that in diffusion equilibrium, (crusts, n).
    """
    crusts, n = frozen_ratio.shape
    ln_P = np.log(pressures)
    piece = latest(pieces.crust, np.searchsorted(pressures, pieces.P[pieces.first]), crusts, n)
    crust_of_node = np.repeat(pieces.crust, pieces.count + 1)
    node = latest(crust_of_node, np.searchsorted(ln_P, ratios.ln_P), crusts, n)
    slides = pieces.sliding[piece]
    own, x = piece[slides], np.broadcast_to(ln_P, slides.shape)[slides]
    R = frozen_ratio.copy()
    R[slides] = interpolate(x, ratios.ln_P, ratios.R, node[slides], ratios.first[own], ratios.last[own])
    return R


@dataclass(frozen=True)
class Layers:
    """Stretches of one regime of one crust, in increasing pressure, neighbours differ; arrays (layers,)."""

    crust: np.ndarray
    """Number of the crust, increasing."""
    regime: np.ndarray
    """int8, a `Regime`."""
    P_start: np.ndarray
    """Pressure at the top, dyn cm^-2."""
    P_end: np.ndarray
    """Pressure at the bottom, dyn cm^-2."""

    def __getitem__(self, which: np.ndarray) -> "Layers":
        return Layers(self.crust[which], self.regime[which], self.P_start[which], self.P_end[which])


def find_layers(pieces: Pieces, ratios: Ratios, pressures: np.ndarray) -> Layers:
    """All stretches of one regime, equilibrium included.

    Along a piece R is interpolated between its nodes, so that boundaries do not stick to the recorded pressures. An
    excursion over a bound and back that goes no further than BAND does not count. A jump is a decreasing layer that
    begins and ends at one pressure.
    """
    crust, start, low, high = _stretches(pieces, ratios)
    kind = without_excursions(crust, low, high)
    begins = np.flatnonzero(np.append(True, (np.diff(kind) != 0) | (np.diff(crust) != 0)))
    kind, crust, start = kind[begins], crust[begins], start[begins]
    end = np.where(np.append(np.diff(crust), 1) != 0, pressures[-1], np.append(start[1:], np.inf))
    return Layers(crust, kind, start, end)


def _stretches(pieces: Pieces, ratios: Ratios) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pieces cut where R crosses a bound: crust, pressure at the start, least and largest R, (stretches,) each."""
    x, R, first, last = ratios.ln_P, ratios.R, ratios.first, ratios.last
    interval = np.ones(len(R) - 1, bool)  # begins at a node and ends at the next of the same piece
    interval[last[:-1]] = False
    # edges: ends of pieces, and crossings, with the node that each is at or behind
    node, ln_P, value = [first, last], [x[first], x[last]], [R[first], R[last]]
    for bound in BOUNDS:
        below = R < bound
        c = np.flatnonzero(interval & (below[1:] != below[:-1]))
        node.append(c)
        ln_P.append(x[c] + (bound - R[c]) / (R[c + 1] - R[c]) * (x[c + 1] - x[c]))
        value.append(np.full(len(c), bound))
    order = np.lexsort((np.concatenate(ln_P), np.concatenate(node)))
    at_node, at, R_edge = (np.concatenate(parts)[order] for parts in (node, ln_P, value))
    piece = np.searchsorted(first, at_node, side="right") - 1
    left = np.flatnonzero(np.diff(piece) == 0)
    own, right = piece[left], left + 1
    start = np.where(at_node[left] == first[own], pieces.P[pieces.first][own], np.exp(at[left]))
    low, high = (
        ufunc(ufunc(R_edge[left], R_edge[right]), reduce_ranges(ufunc, R, at_node[left] + 1, at_node[right] + 1, empty))
        for ufunc, empty in ((np.minimum, np.inf), (np.maximum, -np.inf))
    )
    return pieces.crust[own], start, low, high


def without_excursions(crust: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Regime of each stretch, or its neighbours' where it goes no further than BAND over a bound and back."""
    kind = regime_of((low + high) / 2)
    slight = np.min([np.maximum(high - bound, bound - low) for bound in BOUNDS], axis=0) < BAND
    slight[1:-1] &= (crust[:-2] == crust[1:-1]) & (crust[1:-1] == crust[2:])
    slight[[0, -1]] = False
    for i in np.flatnonzero(slight):
        between = _BETWEEN.get(frozenset((int(kind[i - 1]), int(kind[i]))))
        if kind[i - 1] == kind[i + 1] and between is not None and max(high[i] - between, between - low[i]) < BAND:
            kind[i] = kind[i - 1]
    return kind


def regime_profile(layers: Layers, pressures: np.ndarray, crusts: int) -> np.ndarray:
    """Regime of the layer at the recorded pressures, (crusts, n) int8. layers: all of them, as `find_layers` gives."""
    return layers.regime[latest(layers.crust, np.searchsorted(pressures, layers.P_start), crusts, len(pressures))]


def depth_times_g(pressures: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """integral dP/rho from the first pressure, cm^2 s^-2: (crusts, n). Over g it is the depth in cm."""
    integrand = pressures / rho
    steps = (integrand[:, 1:] + integrand[:, :-1]) / 2 * np.diff(np.log(pressures))
    return np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))


def thickness_times_g(layers: Layers, pressures: np.ndarray, depth_g: np.ndarray) -> np.ndarray:
    """integral dP/rho over each layer, cm^2 s^-2: (layers,). depth_g: of `depth_times_g`. Over g: thickness in cm."""
    crusts, n = depth_g.shape
    ln_P = np.log(pressures)
    grid, row = np.tile(ln_P, crusts), layers.crust * n

    def depth_at(P: np.ndarray) -> np.ndarray:
        place = row + np.searchsorted(ln_P, np.log(P), side="right") - 1
        return interpolate(np.log(P), grid, depth_g.ravel(), place, row, row + n - 1)

    return depth_at(layers.P_end) - depth_at(layers.P_start)


def mean_within(layers: Layers, pressures: np.ndarray, values: np.ndarray, depth_g: np.ndarray) -> np.ndarray:
    """Mean by depth of the values (crusts, n) at the recorded pressures within each layer, (layers,); 0 if none is."""
    begin, end = _recorded_within(layers, pressures)
    weights = np.gradient(depth_g, axis=1)
    total, weight = (reduce_ranges(np.add, x.ravel(), begin, end, 0.0) for x in (values * weights, weights))
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def largest_within(layers: Layers, pressures: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The largest of the values (crusts, n) at the recorded pressures within each layer, (layers,); 0 at least."""
    return np.maximum(reduce_ranges(np.maximum, values.ravel(), *_recorded_within(layers, pressures), 0.0), 0.0)


def _recorded_within(layers: Layers, pressures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First recorded pressure within each layer and the first beyond it, counted through all crusts."""
    row = layers.crust * len(pressures)
    begin, end = np.searchsorted(pressures, layers.P_start), np.searchsorted(pressures, layers.P_end, side="right")
    return row + begin, row + end
