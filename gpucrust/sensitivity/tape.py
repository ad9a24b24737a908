"""The record of one crust: everything that the steps of the slide engine decided, and where they led.

A step takes a state (P, n_b, abundances, heat) to the next by `d` units of a *net*, what one unit of a reaction and of
the cascade behind it do, possibly with a change of pressure. Nets are fixed numbers: at a fixed sequence of steps
inputs such as masses enter through d and P alone, which two conditions a step determine (`Amount`, `Move`).
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gpucrust.engine.slide.record import NEUTRONS, Amount, Move
from gpucrust.nuclide import ELEMENTS, N_STRIDE
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS

PRODUCT = CHANNELS + 1
"""In place of a channel: a fusion makes the second nuclide and sets more neutrons free, rather than the first."""
PADDING = -1
"""Amount kind of lines beyond the last step."""


class Record(NamedTuple):
    """Steps of one member, (steps, ...); a pytree of arrays, of NumPy as made, of JAX in replays.

    `stack_records` pads them and adds a leading member axis.
    """

    nuclide: Any  # (steps, slots) codes during the step; a slot of abundance 0 may change hands between steps
    net: Any  # (steps, slots)
    net_Y_n: Any
    net2: Any  # (steps, slots) of the second of two reactions that oppose each other, else 0
    net2_Y_n: Any
    trigger: Any  # (steps, 3) codes of parent and second parent, channel (12: fusion); -1 for none
    event: Any  # (steps, 4) likewise, and a rival channel of the parent, or -1: the two become equally urgent
    amount: Any  # an Amount, or PADDING
    move: Any  # a Move
    limit: Any  # slot of the stock that limits d, or NEUTRONS
    P: Any  # MeV fm^-3, after the step, as all that follows
    n_b: Any  # fm^-3
    Y: Any  # (steps, slots) nuclei per baryon
    Y_n: Any
    d: Any
    heat: Any  # MeV per baryon since the start
    grid_index: Any  # of the pressure recorded after this step, or -1
    Y_start: Any  # (slots,) at the first pressure, where there are no free neutrons


def bucket(n: int) -> int:
    """Padded length: the next of 256, 384, 512, 768, ..., so that few programs are compiled."""
    size = 256
    while size < n:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


def pad_steps(record: Record, length: int) -> Record:
    """The record with `length` steps: its last line repeated, marked as padding."""
    extra = length - len(np.asarray(record.P))
    if extra < 0:
        raise ValueError(f"a record of {length - extra} steps does not fit into {length}")
    padded = {
        name: np.concatenate([value, np.repeat(np.asarray(value)[-1:], extra, axis=0)])
        for name, value in record._asdict().items()
        if name != "Y_start"
    }
    steps = length - extra
    for name in ("net", "net_Y_n", "net2", "net2_Y_n", "d", "move"):
        padded[name][steps:] = 0
    padded["grid_index"][steps:] = -1
    padded["amount"][steps:] = PADDING
    return Record(**padded, Y_start=record.Y_start)


def stack_records(records: Sequence[Record]) -> Record:
    """Records of several members as one, with a leading axis; all padded to a common bucket."""
    length = bucket(max(len(np.asarray(record.P)) for record in records))
    return Record(*(np.stack(values) for values in zip(*(pad_steps(r, length) for r in records), strict=True)))


def sequence(record: Record) -> list[tuple]:
    """What happened, in order: trigger, what ended the step, and the net, by nuclide.

    Steps that only carry on what the step before did count once, so that neither recorded pressures nor bounded steps
    matter, only reactions.
    """
    r = Record(*(np.asarray(x) for x in record))
    happened: list[tuple] = []
    for s in np.flatnonzero(r.amount != PADDING):
        used_up = r.amount[s] == Amount.USED_UP
        stock = -2 if not used_up else NEUTRONS if r.limit[s] == NEUTRONS else int(r.nuclide[s, r.limit[s]])
        event = tuple(map(int, r.event[s])) if r.move[s] == Move.EVENT else ()
        amount = Amount.MARGINAL if r.amount[s] == Amount.SHARE else r.amount[s]
        step = (tuple(map(int, r.trigger[s])), int(amount), r.move[s] == Move.BURN, _net_of(r, s), stock, event)
        if not happened or happened[-1] != step:
            if happened and happened[-1][:4] == step[:4] and happened[-1][4:] == (-2, ()):
                happened.pop()
            happened.append(step)
    return happened


def _net_of(r: Record, s: Any) -> tuple:
    """The net of a step by nuclide, to nine digits; of an opposed pair both."""
    nets = []
    for net in (np.asarray(r.net)[s], np.asarray(r.net2)[s]):
        changed = np.flatnonzero(np.abs(net) > 1e-9)
        codes = np.asarray(r.nuclide)[s, changed]
        nets.append(tuple(sorted(zip(codes.tolist(), np.round(net[changed], 9).tolist(), strict=True))))
    return tuple(nets)


def sequence_hash(record: Record) -> str:
    """SHA-256 of `sequence`, hexadecimal: equal for crusts in which the same reactions happen in the same order."""
    return hashlib.sha256(repr(sequence(record)).encode()).hexdigest()


def nuclide_label(code: int) -> str:
    """Name of a code, such as Mg44."""
    Z, N = divmod(int(code), N_STRIDE)
    return f"{ELEMENTS[Z]}{Z + N}"


def reaction_label(reaction: Sequence[int]) -> str:
    """Name of a reaction (parent, second parent, channel), such as 'Mg44+e -> Na42+2n'."""
    first, second, channel = map(int, reaction[:3])
    if channel == CHANNELS:
        return f"{nuclide_label(first)}+{nuclide_label(second)}"
    if channel == PRODUCT:
        return f"fusion to {nuclide_label(second)}+{first - second}n, not {nuclide_label(first)}"
    dZ, k = int(CHANNEL_DZ[channel]), int(CHANNEL_K[channel])
    daughter = nuclide_label(first + dZ * N_STRIDE - dZ - k)
    taken = "+e" if dZ < 0 else f"+{-k}n" if k < 0 else ""
    free = f"+{k}n" if k > 0 else "+e" if dZ > 0 else ""
    return f"{nuclide_label(first)}{taken} -> {daughter}{free}"
