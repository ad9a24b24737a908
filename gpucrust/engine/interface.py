"""TODO."""

from typing import Any, NamedTuple

import numpy as np
from jax import Array

from gpucrust.physics.eos import Matter

RUNNING = -1


Y_DROPPED = 1e-15
"""Nuclides below this abundance per baryon are dropped, and no reaction of a smaller amount happens."""


SCARCE = 1e-3
"""Of the chunk: fewer free neutrons than this are not captured. Without it a burn next to neutron drip may go round a
chain reaction of multiplication one (neutrons from electron captures are captured by the very nuclides whose electron
captures follow) in steps of 1e-10 for ever: seen once in ten members with mass errors of 0.5 MeV."""


GUARD = 3.0
"""MeV per initial nucleus: sum of table mismatches beyond which `unmixed` gives way to one table."""


RECORDED = ("n_b", "Y_e", "Y_n", "Y_z53", "sum_Y", "sum_Z2Y", "heat", "segment", "P_threshold", "mu_e_threshold")
"""Columns of a profile; the last three tell the segment and its latest threshold at or before this pressure."""


SEGMENT = ("P_start", "mu_e_start", "P_end", "mu_e_end", "mu_e_after", "nuclide", "second_nuclide", "channel", "k")
"""A segment is a row of burns set off by one reaction: P (MeV fm^-3) and mu_e at its first and last threshold, before
the burn, and mu_e after the last burn. From threshold to threshold the crust slides along one marginal reaction."""


MAX_SEGMENTS = 256


TRACED = ("nuclide", "second_nuclide", "channel", "k", "amount", "P", "heat")


class Settings(NamedTuple):
    """Physics shared by all members of a sweep; a pytree of scalars."""

    matter: Matter
    t_weak: Array  # s
    neutrino_fraction: Array  # of the Gibbs energy that electron captures release
    max_steps: Array
    landed: Array  # in ln P: how near moves of the slide engine end to where anything changes
    fusion_density: Array | None = None  # (61,) g cm^-3 from which nuclei of a charge number fuse, if not by burn time


class Member(NamedTuple):
    """What makes one member; a pytree of arrays."""

    model: Array  # index into the network
    errors: Any  # MassErrors; once the member starts, drawn: (codes,) MeV; None without
    ln_rate_scale: Array  # of fusion
    g_mdot: Array  # MeV fm^-3 s^-1
    nuclide: Array  # (slots,) codes of the ash
    Y: Array  # (slots,) ash, nuclei per baryon
    chunk: Array  # largest amount of one reaction, per baryon


class Output(NamedTuple):
    """What one micro-step has to record; a line beyond the end of its table means nothing."""

    line: Array  # index of the pressure whose burn has ended
    row: Array  # (len(RECORDED),)
    segment_line: Array  # index of the segment that a burn has ended in
    segment_row: Array  # (len(SEGMENT),)
    trace_line: Array  # number of the reaction
    trace_row: Array  # (len(TRACED),)
    record_line: Array | None = None  # number of the step of the slide engine
    record_row: Array | None = None  # `slide.STEP_ARRAYS` and `slide.STEP_SCALARS`


NOWHERE = np.iinfo(np.int32).max


Y_REACTS = 1e-12
"""Nuclides at or below this abundance per baryon do not react."""
