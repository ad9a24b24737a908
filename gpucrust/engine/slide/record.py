"""The record of the steps of the slide engine, in rows: everything that decides a step, and where it leads."""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np


class Amount(IntEnum):
    """What determines how much reacts in a step."""

    NONE = 0
    """Nothing reacts: composition is frozen."""
    MARGINAL = 1
    """So much that the trigger is marginal afterwards: its affinity, or ln(tau/t_acc) of a fusion, is about 0."""
    USED_UP = 2
    """All there is of the nuclide (or of the free neutrons) that limits the net."""
    SHARE = 3
    """A share of that: of a burn that runs away, or of one that changes the potentials too much to be made at once."""


class Move(IntEnum):
    """What determines the pressure after a step."""

    BURN = 0
    """It stays: something burns at constant pressure."""
    GIVEN = 1
    """It is a recorded pressure, or a step of the longest length."""
    EVENT = 2
    """Another reaction becomes possible there, or the cascade of the trigger changes."""
    STOCK = 3
    """What limits the net is used up there while the trigger is marginal."""


NEUTRONS = -1
"""What stands for the free neutrons in place of the slot of a nuclide."""


class StepRow(NamedTuple):
    """One step: the net that went, what determined how far, and the state after it; MeV, fm, per baryon.

    The net of a step is that of its trigger and `partner_units` times `net2`, of a marginal reaction that opposes it.
    """

    nuclide: Any
    """(slots,) codes."""
    Y: Any
    """(slots,) nuclei per baryon after the step."""
    net: Any
    """(slots,) change of Y by one unit of the net."""
    net2: Any
    """(slots,) change of Y by one unit of the opposing reaction's net; 0 without one."""
    net_Y_n: Any
    """Free neutrons by one unit of the net."""
    net2_Y_n: Any
    """Free neutrons by one unit of the opposing reaction's net."""
    partner_units: Any
    """Units of the opposing reaction's net in one unit of the net; 0 without one."""
    first: Any
    """Code of the trigger's parent; -1 without a trigger."""
    second: Any
    """Code of the trigger's second parent; of a channel its parent again."""
    channel: Any
    """Channel of the trigger; CHANNELS for a fusion, -1 without a trigger."""
    amount_kind: Any
    """An `Amount`."""
    limit: Any
    """Slot of the nuclide that the net uses up first, or NEUTRONS."""
    pressure_kind: Any
    """A `Move`."""
    event_first: Any
    """Code of the parent of the reaction that is the most urgent after the step."""
    event_second: Any
    """Code of its second parent."""
    event_channel: Any
    """Its channel."""
    P: Any
    """Pressure after the step, MeV fm^-3."""
    n_b: Any
    """Baryon density after the step, fm^-3."""
    Y_n: Any
    """Free neutrons per baryon after the step."""
    d: Any
    """Units of the net, per baryon."""
    heat: Any
    """Heat since the first pressure, MeV per baryon."""
    grid_index: Any
    """Index of the pressure recorded after the step; -1 for none."""
    link: Any
    """Where a step ends because the trigger's cascade changes, its first link that does, before; else 0."""
    other_link: Any
    """That link from there on; else 0. Both as `packet.link` has them."""


BY_SLOT = ("nuclide", "Y", "net", "net2")
"""Names of the first fields of a step, of which a row has a column for every slot; of the others it has one."""


def row_columns(slots: int) -> int:
    """Length of a row."""
    return len(BY_SLOT) * slots + len(StepRow._fields) - len(BY_SLOT)


def steps_by_name(rows: np.ndarray) -> StepRow:
    """Columns of rows (steps, columns): (steps, slots) of BY_SLOT, (steps,) of the others."""
    others = len(StepRow._fields) - len(BY_SLOT)
    slots = (rows.shape[1] - others) // len(BY_SLOT)
    by_slot = [rows[:, i * slots : (i + 1) * slots] for i in range(len(BY_SLOT))]
    return StepRow(*by_slot, *rows[:, len(BY_SLOT) * slots :].T)
