"""Where on a tape the outputs of a crust lie: which step and which side of it, found once from the tape."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.schema import Regime
from gpucrust.sensitivity.layers import (
    AT_END,
    AT_START,
    NO_LAYER,
    Layer,
    find_layers,
    stack_layers,
    thickness_of,
)
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.sides import Sides, flux_ratio
from gpucrust.sensitivity.tape import NONE, PADDING, Tape

MAX_LAYERS = 64
"""Room for the layers of one crust that are out of equilibrium and thick enough to count: a fixed length of arrays."""


class Place(NamedTuple):
    """One side of a step; a pytree of scalars, or of arrays of one shape."""

    step: Any
    """Index of the step; NONE for none."""
    at_end: Any
    """Whether it is the end of the step, else its start."""


NOWHERE = Place(NONE, False)
"""The place of something that a crust does not have."""


class Structure(NamedTuple):
    """Where on a tape outputs lie; a pytree of arrays."""

    grid_step: np.ndarray
    """(pressures,) step that ends at each pressure of the grid."""
    ratio: Place
    """(pressures,) where R is taken at each pressure of the grid: at the start of the move that follows."""
    layers: Layer
    """(MAX_LAYERS,) layers out of equilibrium, from the surface down; NO_LAYER beyond the last."""
    flux: Place
    """Where in the layers the flux of neutrons is the largest; NOWHERE without layers."""


def value_at(place: Place, start: Array, end: Array) -> Array:
    """What a quantity, (steps,) at the start and the end of every step, is at places."""
    return jnp.where(place.at_end, end[place.step], start[place.step])


def find_structure(tape: Tape, sides: Sides, layer_cut: float, parameters: Parameters) -> Structure:
    """The Structure of one crust. layer_cut: m; layers thinner than this are left out."""
    amount, grid_index = np.asarray(tape.amount), np.asarray(tape.grid_index)
    moves = np.flatnonzero((amount != PADDING) & (np.asarray(sides.end.P) > np.asarray(sides.start.P)))
    grid_step = np.flatnonzero(grid_index != NONE)
    following = np.searchsorted(moves, grid_step, side="right")
    last = following == len(moves)
    ratio = Place(moves[np.minimum(following, len(moves) - 1)], last)
    layers = _broken_layers(moves, sides, layer_cut, parameters)
    room = [NO_LAYER] * (MAX_LAYERS - len(layers))
    flux = _largest_flux(moves, layers, sides, parameters)
    return Structure(grid_step, ratio, stack_layers([*layers, *room]), Place(*map(np.array, flux)))


def _broken_layers(moves: np.ndarray, sides: Sides, layer_cut: float, parameters: Parameters) -> list[Layer]:
    """Layers out of equilibrium that are not thinner than layer_cut, m."""
    found = find_layers(moves, *(np.asarray(side.R) for side in sides))
    broken = [layer for layer in found if layer.regime != Regime.EQUILIBRIUM]
    thickness = np.asarray(thickness_of(stack_layers(broken), sides, parameters))
    kept = [layer for layer, thick in zip(broken, thickness >= layer_cut, strict=True) if thick]
    if len(kept) > MAX_LAYERS:
        raise ValueError(f"more than {MAX_LAYERS} layers out of equilibrium in one crust: raise output.layer_cut")
    return kept


def _largest_flux(moves: np.ndarray, layers: Sequence[Layer], sides: Sides, parameters: Parameters) -> Place:
    """Where in layers the flux of neutrons is the largest."""
    start, end = (np.abs(np.asarray(flux_ratio(side, parameters))) for side in sides)
    places = (place for layer in layers for place in _places_within(layer, moves))
    return max(places, key=lambda place: (end if place.at_end else start)[place.step], default=NOWHERE)


def _places_within(layer: Layer, moves: np.ndarray) -> Iterable[Place]:
    """Both sides of the moves of a layer; not the start of that within which it begins, nor the end of its last."""
    inside = moves[(moves >= layer.start.step) & (moves <= layer.end.step)]
    begins_within, ends_within = (edge.bound not in (AT_START, AT_END) for edge in (layer.start, layer.end))
    yield from (Place(s, False) for s in inside if not (begins_within and s == layer.start.step))
    yield from (Place(s, True) for s in inside if not (ends_within and s == layer.end.step))
