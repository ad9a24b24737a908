"""Events: which reaction, or which choice of a packet, decides where each move of a tape ends.

The engine tells where its moves ended at something, and which reaction was the most urgent there, or what the packet of
the trigger did before and does from there on. An event is what of that has its threshold just there.
"""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from gpucrust.engine.slide.cascade import FUSION_THRESHOLD
from gpucrust.engine.slide.record import Move
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNELS, THRESHOLD
from gpucrust.sensitivity.parameters import Parameters
from gpucrust.sensitivity.tape import NONE, PRODUCT, Event, Tape, bucket, pad_steps
from gpucrust.sensitivity.thresholds import energy_change, sums_along, threshold_of, threshold_value

AT_THRESHOLD = 1e-6
"""How near to its threshold, in MeV or in ln(tau/t_acc), a reaction must be where a step ends in order to be its event:
a thousand times what moves that end to 1e-9 in ln P leave, and far less than lies between thresholds."""
SHORT = 0.999
"""Part of the longest move; a move that is no longer did not end for its length."""


class Link(NamedTuple):
    """What the packet of a trigger does at a nuclide; (steps,) arrays."""

    code: np.ndarray
    """Code of the nuclide; 0 where the packet's way does not change."""
    channel: np.ndarray
    """Channel; CHANNELS for a fusion, NONE if it ends there."""
    other: np.ndarray
    """Code of what a fusion is with."""

    @property
    def is_channel(self) -> np.ndarray:
        """Whether it is a reaction, and no fusion."""
        return (self.channel >= 0) & (self.channel < CHANNELS)

    @property
    def speed_class(self) -> np.ndarray:
        """Class of the channel; meaningless for what is none."""
        return CHANNEL_CLASS[np.clip(self.channel, 0, CHANNELS - 1)]


def with_events(tape: Tape, old: Link, new: Link, step: float, parameters: Parameters) -> Tape:
    """The tape with each event that which decides where its step ends; without one the pressure is given.

    tape: as the engine has named events; old, new: what packets do before and after; step: longest move in ln P.
    """
    return _with_takeovers(_with_thresholds(tape, old, new, parameters), step)


def _with_thresholds(tape: Tape, old: Link, new: Link, parameters: Parameters) -> Tape:
    """The tape with those events alone that have their threshold where the step ends."""
    same_way = (old.code == 0) & (new.code == 0)
    named = jax.tree.map(lambda x: np.where(same_way, x, NONE), tape.event)
    candidates: Event = jax.tree.map(lambda *x: np.stack(x), named, *candidates_of(old, new))
    value, fusion = values_of(candidates, tape, parameters), candidates.channel == CHANNELS
    opens = np.where(fusion, FUSION_THRESHOLD, np.where(candidates.rival == NONE, THRESHOLD, 0.0))
    near = (np.abs(value) < AT_THRESHOLD) | (np.abs(value - opens) < AT_THRESHOLD)
    near &= (candidates.channel != NONE) & (tape.move == Move.EVENT)
    first, found = np.argmax(near, axis=0), near.any(axis=0)
    event = jax.tree.map(lambda x: np.where(found, x[first, np.arange(len(found))], NONE), candidates)
    return tape._replace(event=event, move=np.where((tape.move == Move.EVENT) & ~found, Move.GIVEN, tape.move))


def _with_takeovers(tape: Tape, step: float) -> Tape:
    """The tape with events where a reaction takes over that is marginal already, a little before its threshold."""
    first, second, channel = (np.append(x[1:], NONE) for x in tape.trigger)
    following = Event(first, second, channel, np.full(len(tape.P), NONE))
    slides = (tape.move != Move.BURN) & (tape.trigger.channel != NONE)
    changes = np.any([x != y for x, y in zip(following, tape.trigger, strict=False)], axis=0)
    takes_over = np.append(slides[1:], False) & changes
    short = np.diff(np.log(tape.P), prepend=0) < SHORT * step
    free = (tape.move == Move.GIVEN) & (tape.grid_index == NONE) & (tape.event.channel == NONE) & short
    taken = takes_over & free
    event = jax.tree.map(lambda x, other: np.where(taken, x, other), following, tape.event)
    return tape._replace(event=event, move=np.where(taken, Move.EVENT, tape.move))


def candidates_of(old: Link, new: Link) -> list[Event]:
    """Events, (steps,) each, that may make a packet do the new link rather than the old one, the likeliest first."""
    both = (old.code > 0) & (new.code > 0)
    rivals = both & (old.code == new.code) & old.is_channel & new.is_channel & (old.speed_class == new.speed_class)
    of_product = both & (old.code != new.code) & (nuclide_Z(old.code) == nuclide_Z(new.code))
    many, few = np.maximum(old.code, new.code), np.minimum(old.code, new.code)
    return [
        _event(new.code, new.code, new.channel, old.channel, when=rivals),
        _event(many, few, PRODUCT, NONE, when=of_product),
        _event(new.code, new.other, new.channel, NONE, when=new.channel == CHANNELS),
        _event(old.code, old.other, old.channel, NONE, when=old.channel == CHANNELS),
        _event(new.code, new.code, new.channel, NONE, when=new.is_channel),
        _event(old.code, old.code, old.channel, NONE, when=old.is_channel),
    ]


def _event(*of: np.ndarray | int, when: np.ndarray) -> Event:
    """An Event of these fields, or none."""
    return Event(*(np.where(when, x, NONE) for x in of))


def values_of(events: Event, tape: Tape, parameters: Parameters) -> np.ndarray:
    """Affinities in MeV, or ln(tau/t_acc), of events (n, steps) where their steps end: (n, steps)."""
    steps = len(tape.P)
    length = bucket(steps)
    padded = jax.tree.map(lambda x: np.pad(x, ((0, 0), (0, length - steps)), constant_values=NONE), events)
    return np.asarray(_values_of(padded, pad_steps(tape, length), parameters))[:, :steps]


@jax.jit
def _values_of(events: Event, tape: Tape, parameters: Parameters) -> Array:
    sums = sums_along(nuclide_Z(tape.nuclide), tape.Y, tape.Y_n)
    of_step = jax.vmap(threshold_value, in_axes=(0, 0, 0, 0, 0, 0, None))

    def values(event: Event) -> Array:
        threshold = jax.vmap(threshold_of)(event, tape.nuclide, tape.Y)
        dE = energy_change(threshold, parameters)
        return of_step(threshold, dE, tape.n_b, tape.P, tape.Y, sums, parameters)

    return jax.vmap(values)(events)
