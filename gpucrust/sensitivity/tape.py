"""The tape of a crust: everything that the steps of the slide engine decided, and where they led.

A step takes a state (P, n_b, abundances) to the next by `d` units of a *net*, what one unit of a reaction and of the
cascade behind it do, possibly with a change of pressure. Nets are fixed numbers: at a fixed sequence of steps
inputs such as masses enter through d and P alone, which two conditions a step determine (`Amount`, `Move`).
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gpucrust.engine.slide.record import NEUTRONS, Amount, Move
from gpucrust.physics.reactions import CHANNELS

NONE = -1
"""In place of a code, a channel or the index of a pressure: there is none."""
PRODUCT = CHANNELS + 1
"""In place of a channel: a fusion makes the second nuclide and sets more neutrons free, rather than the first."""
PADDING = -1
"""In place of an Amount: the step lies beyond the last one, and only makes tapes equally long."""
DIGITS = 9
"""Decimal digits to which nets are compared; what is beyond them is rounding."""
NOT_USED_UP = -2
"""In place of the code of a stock, in a sequence: the step uses none up."""


class Reaction(NamedTuple):
    """A reaction; integers, or arrays of one shape, NONE in all of them for none."""

    first: Any
    """Code of the parent."""
    second: Any
    """Code of the second parent of a fusion; of a channel its parent again."""
    channel: Any
    """Channel; CHANNELS for a fusion."""


class Event(NamedTuple):
    """What decides where a step ends; integers, or arrays of one shape, NONE in all of them for none."""

    first: Any
    """Code of the parent of the reaction that becomes possible; with PRODUCT, of the nuclide made till then."""
    second: Any
    """Code of the second parent of a fusion, else of the parent; with PRODUCT, of the nuclide made from then on."""
    channel: Any
    """Channel; CHANNELS for a fusion, PRODUCT where a fusion comes to make another nuclide."""
    rival: Any
    """Another channel of the parent, if the event is that both become equally urgent; else NONE."""


class Net(NamedTuple):
    """Change of abundances by one unit of a reaction and of the cascade behind it."""

    Y: Any
    """(..., slots) nuclei."""
    Y_n: Any
    """(...,) free neutrons."""


class Tape(NamedTuple):
    """The steps of one crust, all fields with a leading axis (steps, ...): a pytree of arrays.

    The first step does nothing: it is the ash at the first pressure, where there are no free neutrons. So the state
    before each step is that after the one before it, and the first begins where it ends.

    Arrays are NumPy's as recorded, padded or not, and JAX's in replays. `stack_tapes` adds a leading axis of members.
    """

    nuclide: Any
    """(steps, slots) codes during the step; a slot of abundance 0 may change hands between steps."""
    net: Net
    """Net of the trigger, that of a reaction which opposes it not included."""
    opposing: Net
    """Net of a marginal reaction that opposes the trigger; 0 without one."""
    trigger: Reaction
    """The reaction that goes, or is about to."""
    event: Event
    """What ends the step, if its Move is EVENT."""
    amount: Any
    """(steps,) an Amount, or PADDING."""
    move: Any
    """(steps,) a Move."""
    limit: Any
    """(steps,) slot of the stock that limits d, or NEUTRONS."""
    P: Any
    """(steps,) pressure after the step, MeV fm^-3."""
    n_b: Any
    """(steps,) baryon density after the step, fm^-3."""
    Y: Any
    """(steps, slots) nuclei per baryon after the step."""
    Y_n: Any
    """(steps,) free neutrons per baryon after the step."""
    d: Any
    """(steps,) units of the whole net in the step, per baryon."""
    heat: Any
    """(steps,) heat since the first pressure, MeV per baryon."""
    grid_index: Any
    """(steps,) index of the pressure of the grid that the step ends at, or NONE."""


def bucket(n: int) -> int:
    """Padded length: the next of 256, 384, 512, 768, ..., so that few programs are compiled."""
    size = 256
    while size < n:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


def pad_steps(tape: Tape, length: int) -> Tape:
    """The tape with `length` steps: its last one repeated, doing nothing, marked as padding."""
    steps = len(tape.P)
    if steps > length:
        raise ValueError(f"a tape of {steps} steps does not fit into {length}")
    padded: Tape = jax.tree.map(lambda x: np.concatenate([x, np.repeat(x[-1:], length - steps, axis=0)]), tape)
    for values in (*padded.net, *padded.opposing, padded.d):
        values[steps:] = 0.0
    padded.move[steps:] = Move.BURN
    padded.grid_index[steps:] = NONE
    padded.amount[steps:] = PADDING
    return padded


def stack_tapes(tapes: Sequence[Tape]) -> Tape:
    """Tapes of several members as one, with a leading axis of members; all padded to a common bucket."""
    length = bucket(max(len(tape.P) for tape in tapes))
    return jax.tree.map(lambda *values: np.stack(values), *(pad_steps(tape, length) for tape in tapes))


class Happening(NamedTuple):
    """A part of a sequence: what one step does, or several that carry on with the same."""

    trigger: tuple[int, ...]
    """Its Reaction."""
    amount: int
    """An Amount; of a bite that of what it is a bite of."""
    burns: Any
    """Whether it happens at constant pressure."""
    nets: tuple
    """Net of the trigger and that of a reaction which opposes it: pairs of a code and its change."""
    stock: int
    """Code of the nuclide that is used up, NEUTRONS, or NOT_USED_UP."""
    event: tuple[int, ...]
    """The Event that ends it; empty without one."""


def sequence_of(tape: Tape) -> list[Happening]:
    """What happened, in order.

    Steps that only carry on what the step before did count once, so that neither pressures of the grid nor bounded
    steps matter, only reactions.
    """
    happened: list[Happening] = []
    for s in np.flatnonzero(tape.amount != PADDING):
        new = _happening(tape, s)
        last = happened[-1] if happened else None
        if new == last:
            continue
        if last == new._replace(stock=NOT_USED_UP, event=()):
            happened.pop()
        happened.append(new)
    return happened


def _happening(tape: Tape, s: Any) -> Happening:
    """What the step s does."""
    amount, move, limit = tape.amount[s], tape.move[s], tape.limit[s]
    stock = NEUTRONS if limit == NEUTRONS else int(tape.nuclide[s, limit])
    return Happening(
        trigger=tuple(int(x[s]) for x in tape.trigger),
        amount=int(Amount.MARGINAL if amount == Amount.SHARE else amount),
        burns=move == Move.BURN,
        nets=tuple(net_by_code(tape.nuclide[s], net.Y[s]) for net in (tape.net, tape.opposing)),
        stock=stock if amount == Amount.USED_UP else NOT_USED_UP,
        event=tuple(int(x[s]) for x in tape.event) if move == Move.EVENT else (),
    )


def net_by_code(nuclide: np.ndarray, net: np.ndarray) -> tuple[tuple[int, float], ...]:
    """Nuclides that a net, (slots,), changes: pairs of a code and its change, to DIGITS."""
    changed = np.flatnonzero(np.abs(net) > 10.0**-DIGITS)
    return tuple(sorted(zip(nuclide[changed].tolist(), np.round(net[changed], DIGITS).tolist(), strict=True)))


def sequence_hash(tape: Tape) -> str:
    """SHA-256 of the sequence, hexadecimal: equal for crusts in which the same reactions happen in the same order."""
    return hashlib.sha256(repr([tuple(part) for part in sequence_of(tape)]).encode()).hexdigest()
