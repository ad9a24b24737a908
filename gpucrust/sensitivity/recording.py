"""Records of crusts by the slide engine: ensembles of them, in batches on whatever device there is.

Its moves end to LANDED in ln P where anything changes. What does is named here from what the engine has kept: the
reaction that became possible, or what the packet of the slide did before and what it does now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.evolution import Evolution, recorded_steps
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper, matter_of
from gpucrust.engine.slide.cascade import FUSION_THRESHOLD, deed_of
from gpucrust.engine.slide.record import NEUTRONS, Amount, Move
from gpucrust.masses import MassModel
from gpucrust.nuclide import N_STRIDE, nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.eos import Matter
from gpucrust.physics.reactions import CHANNEL_CLASS, CHANNELS, THRESHOLD
from gpucrust.sensitivity.replay import Parameters, energy_change, mixture_of, threshold_of, threshold_value
from gpucrust.sensitivity.tape import PRODUCT, Record, bucket, pad_steps
from gpucrust.status import Status

LANDED = 1e-9
"""In ln P."""
AT_THRESHOLD = 1e-6
"""MeV, and in ln(tau/t_acc): what lies further from its threshold is not what ends a step."""
AT_A_TIME = 64
"""Crusts recorded together: 700 bytes a step, 1,100 to 1,500 steps for 1,000 recorded pressures, each."""


def record_crusts(
    members: Members,
    models: Sequence[MassModel],
    ashes: Sequence[Mapping[tuple[int, int], float]],
    pressures: np.ndarray,
    physics: Physics,
    stepper: Stepper,
    parameters: Sequence[Parameters],
) -> list[Record | None]:
    """Records of all members, made with their `parameters`; None for one that has no result. float64 must be on."""
    records: list[Record | None] = []
    room = 2 * len(pressures) + 2 * int(np.log(pressures[-1] / pressures[0]) / stepper.step) + 1000
    for first in range(0, len(parameters), AT_A_TIME):
        some = slice(first, first + AT_A_TIME)
        own = Members(*(getattr(members, f.name)[some] for f in fields(members)))
        while True:
            recorded = replace(stepper, engine="slide", landed=LANDED, record=room, composition=False)
            evolution = evolve(own, Problem(models, ashes, pressures, physics, recorded))
            assert evolution.n_recorded is not None
            if evolution.n_recorded.max() <= room:
                break
            room *= 2
        for m, p in enumerate(parameters[some]):
            ended = evolution.status[m] == Status.OK
            records.append(
                record_of(evolution, m, pressures[0] / DYN_PER_CM2, stepper.step, p, physics) if ended else None
            )
    return records


def record_of(
    evolution: Evolution, member: int, P_start: float, step: float, parameters: Parameters, physics: Physics
) -> Record:
    """The Record of a member of an evolution with recorded steps; P_start: the first pressure, MeV fm^-3.

    A first step is put before them: the ash at that pressure, before anything burns.
    """
    s = recorded_steps(evolution, member)
    amount, move, limit = (x.astype(int) for x in (s.amount_kind, s.pressure_kind, s.limit))
    opposed = s.ratio > 0
    # rounding leaves something of a stock that has been used up
    used_up = amount == Amount.USED_UP
    Y, Y_n = s.Y.copy(), np.where(used_up & (limit == NEUTRONS), 0.0, s.Y_n)
    rows = np.flatnonzero(used_up & (limit >= 0))
    Y[rows, limit[rows]] = 0.0
    nothing = np.zeros(Y.shape[1])
    Y_start = Y[0] - s.d[0] * s.net[0]
    Y_start = np.where(Y_start > 1e-12, Y_start, 0.0)
    n_b = density_of(P_start, s.nuclide[0].astype(int), Y_start, matter_of(physics))

    def begin(first: object, rest: np.ndarray) -> np.ndarray:
        return np.concatenate([np.asarray(first, rest.dtype)[None], rest])

    def together(*columns: np.ndarray) -> np.ndarray:
        return np.stack(columns, axis=1).astype(int)

    grid_index, no_rival = s.grid_index.astype(int), np.full((len(move), 1), -1)
    record = Record(
        nuclide=begin(s.nuclide[0], s.nuclide).astype(int),
        net=begin(nothing, s.net - s.ratio[:, None] * s.net2),
        net_Y_n=begin(0.0, s.net_Y_n - np.where(opposed, s.ratio * s.net2_Y_n, 0.0)),
        net2=begin(nothing, np.where(opposed[:, None], s.net2, 0.0)),
        net2_Y_n=begin(0.0, np.where(opposed, s.net2_Y_n, 0.0)),
        trigger=begin([-1] * 3, together(s.first, s.second, s.channel)),
        event=begin([-1] * 4, np.append(together(s.event_first, s.event_second, s.event_channel), no_rival, axis=1)),
        amount=begin(Amount.NONE, amount),
        move=begin(Move.GIVEN, move),
        limit=begin(NEUTRONS, limit),
        P=begin(P_start, s.P),
        n_b=begin(n_b, s.n_b),
        Y=begin(Y_start, Y),
        Y_n=begin(0.0, Y_n),
        d=begin(0.0, s.d),
        heat=begin(0.0, s.heat),
        grid_index=begin(-1 if 0 in grid_index else 0, grid_index),
        Y_start=Y_start,
    )
    return with_events(record, begin([0, 0], together(s.deed, s.other_deed)), step, parameters)


@jax.jit
def density_of(P: float, nuclide: Array, Y: Array, matter: Matter) -> Array:
    """n_b of matter without neutrons, fm^-3."""
    mixture = mixture_of(nuclide // N_STRIDE, Y, jnp.array(0.0))
    return eos.density_at_pressure(P, mixture, matter, eos.cold_density_guess(P, mixture.Y_e), 15)


def with_events(record: Record, deeds: np.ndarray, step: float, parameters: Parameters) -> Record:
    """The record with each event the reaction that decides where its step ends; without one the pressure is given.

    deeds: (steps, 2) of the packet before and after, 0 where its way is the same; step: longest move in ln P.
    """
    move = record.move.copy()
    ends = move == Move.EVENT
    parts = np.any(deeds > 0, axis=1)
    candidates = np.stack([np.where(parts[:, None], -1, record.event), *decisions(deeds)])
    value, fusion = values_of(candidates, record, parameters), candidates[..., 2] == CHANNELS
    near = np.abs(value) < AT_THRESHOLD
    near |= ~fusion & (candidates[..., 3] < 0) & (np.abs(value - THRESHOLD) < AT_THRESHOLD)
    near |= fusion & (np.abs(value - FUSION_THRESHOLD) < AT_THRESHOLD)
    near &= (candidates[..., 2] >= 0) & ends
    event = candidates[np.argmax(near, axis=0), np.arange(len(move))]
    kept = near.any(axis=0)
    move[ends & ~kept] = Move.GIVEN

    # a reaction takes over where it is marginal already, a little before its threshold
    slides = (move != Move.BURN) & (record.trigger[:, 2] >= 0)
    follows = np.append(slides[1:] & np.any(record.trigger[1:] != record.trigger[:-1], axis=1), False)
    free = (move == Move.GIVEN) & (record.grid_index < 0) & (np.diff(np.log(record.P), prepend=0) < 0.999 * step)
    taken = np.flatnonzero(follows & free & ~kept)
    event[taken, :3], event[taken, 3] = record.trigger[taken + 1], -1
    kept[taken], move[taken] = True, Move.EVENT
    return record._replace(event=np.where(kept[:, None], event, -1), move=move)


def decisions(deeds: np.ndarray) -> list[np.ndarray]:
    """Events, (steps, 4) each, that may make a packet do the second deed rather than the first, the likeliest first."""
    (code, channel, other), (code2, channel2, other2) = (deed_of(deeds[:, k]) for k in range(2))
    none = np.full(len(deeds), -1)

    def event(*of: np.ndarray, when: np.ndarray) -> np.ndarray:
        return np.where(when[:, None], np.stack(of, axis=1), -1)

    both = (code > 0) & (code2 > 0)
    same = both & (code == code2)
    channels = [(c >= 0) & (c < CHANNELS) for c in (channel, channel2)]
    rivals = same & channels[0] & channels[1]
    rivals &= CHANNEL_CLASS[channel % CHANNELS] == CHANNEL_CLASS[channel2 % CHANNELS]
    product = np.full_like(none, PRODUCT)
    many, few = np.maximum(code, code2), np.minimum(code, code2)
    of_product = both & (code != code2) & (code // N_STRIDE == code2 // N_STRIDE)
    fusion = [c == CHANNELS for c in (channel, channel2)]
    return [
        event(code, code, channel2, channel, when=rivals),
        event(many, few, product, none, when=of_product),
        event(code2, other2, channel2, none, when=fusion[1]),
        event(code, other, channel, none, when=fusion[0]),
        event(code2, code2, channel2, none, when=channels[1]),
        event(code, code, channel, none, when=channels[0]),
    ]


def values_of(events: np.ndarray, record: Record, parameters: Parameters) -> np.ndarray:
    """Affinities in MeV, or ln(tau/t_acc), of events (n, steps, 4) where their steps end: (n, steps)."""
    n = len(record.P)
    padded = pad_steps(record, bucket(n))
    at = np.pad(events, ((0, 0), (0, bucket(n) - n), (0, 0)), constant_values=-1)
    return np.asarray(_values_of(at, padded, parameters))[:, :n]


@jax.jit
def _values_of(events: Array, record: Record, parameters: Parameters) -> Array:
    mixture = mixture_of(nuclide_Z(record.nuclide), record.Y, record.Y_n)
    of_step = jax.vmap(threshold_value, in_axes=(0, 0, 0, 0, 0, 0, None))

    def values(event: Array) -> Array:
        threshold = jax.vmap(threshold_of)(event, record.nuclide, record.Y)
        dE = energy_change(threshold, parameters)
        return of_step(threshold, dE, record.n_b, record.P, record.Y, mixture, parameters)

    return jax.vmap(values)(events)
