"""What an engine is: its protocol, what it is given, and the rows that it records.

An engine takes one member of an ensemble through the crust, from the lowest to the highest recorded pressure, in
micro-steps that are the same program for every member, so that `jax.vmap` gives the batch and no lane waits for
another's branch. `gpucrust.engine.engines` has the list of engines; what runs them (`lanes`, `batch`, `ensemble`) knows
none of them by name.

Inside: MeV, fm, MeV fm^-3, per baryon.
"""

from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.engine.network import Network
from gpucrust.physics.eos import Matter

# --- limits that all engines share

Y_REACTS = 1e-12
"""Abundance per baryon at or below which a nuclide does not react."""
Y_DROPPED = 1e-15
"""Abundance per baryon below which a nuclide is dropped; no reaction of a smaller amount happens."""
SCARCE = 1e-3
"""Free neutrons, as a part of the chunk and for each that a reaction takes in, below which it does not capture them.
Without this limit a burn next to neutron drip may go round a chain reaction of multiplication one (neutrons from
electron captures are captured by the very nuclides whose electron captures follow) in steps of 1e-10 for ever: seen
once in ten members with mass errors of 0.5 MeV."""
GUARD = 3.0
"""Mismatch in MeV per nucleus of the ash beyond which the policy `unmixed` gives way to one table."""
MAX_SEGMENTS = 256
"""Largest number of segments of one member."""

# --- status and lines while a member is under way

RUNNING = -1
"""Status of a member under way; a member that has ended has a `Status`."""
NOWHERE = np.iinfo(np.int32).max
"""Line of a row that is not to be kept: beyond the end of every table."""


# --- rows that are recorded, by name


class ProfileRow(NamedTuple):
    """What is recorded at one pressure, after whatever burns there."""

    n_b: Any
    """Baryon density, fm^-3."""
    Y_e: Any
    """Electrons per baryon."""
    Y_n: Any
    """Free neutrons per baryon."""
    Y_z53: Any
    """sum Z_i^(5/3) Y_i, for the lattice."""
    sum_Y: Any
    """Nuclei per baryon."""
    sum_Z2Y: Any
    """sum Z_i^2 Y_i, for the impurity parameter."""
    heat: Any
    """Heat released since the first pressure, MeV per baryon."""
    segment: Any
    """Number of the latest segment that began at or before this pressure; -1 before the first."""
    P_threshold: Any
    """Pressure of that segment's latest threshold so far, MeV fm^-3."""
    mu_e_threshold: Any
    """mu_e at that threshold, MeV."""


class ReactionName(NamedTuple):
    """A reaction by its nuclides, whatever slots they have; all -1 for none. Rows that tell of one begin with these."""

    nuclide: Any
    """Code of the parent."""
    second_nuclide: Any
    """Code of the second parent of a fusion; of a channel 0 (chunk engine), or its parent again (slide engine)."""
    channel: Any
    """Channel; CHANNELS for a fusion."""

    def is_same(self, other: "ReactionName") -> Any:
        """Whether the two name one reaction."""
        same = (self.nuclide == other.nuclide) & (self.second_nuclide == other.second_nuclide)
        return same & (self.channel == other.channel)


def no_reaction() -> ReactionName:
    """The name of no reaction."""
    return ReactionName(*(jnp.array(-1) for _ in range(3)))


class SegmentRow(NamedTuple):
    """A stretch of the crust that one reaction decides; what it means is the engine's `segments`."""

    P_start: Any
    """Pressure of the first threshold (or start), MeV fm^-3."""
    mu_e_start: Any
    """mu_e there, MeV, before anything burns."""
    P_end: Any
    """Pressure of the last threshold (or end), MeV fm^-3."""
    mu_e_end: Any
    """mu_e there, MeV, before anything burns."""
    mu_e_after: Any
    """mu_e after the last burn, MeV."""
    nuclide: Any
    """Code of the parent; -1 in a segment of the slide engine along which nothing reacts."""
    second_nuclide: Any
    """Code of the second parent of a fusion; of a channel as in `ReactionName`."""
    channel: Any
    """Channel; CHANNELS for a fusion."""
    k: Any
    """Neutrons set free by one reaction."""


class TraceRow(NamedTuple):
    """One reaction of a trace."""

    nuclide: Any
    """Code of the parent."""
    second_nuclide: Any
    """Code of the second parent of a fusion; of a channel as in `ReactionName`."""
    channel: Any
    """Channel; CHANNELS for a fusion."""
    k: Any
    """Neutrons set free by one reaction."""
    amount: Any
    """Reactions per baryon."""
    P: Any
    """Pressure, MeV fm^-3."""
    heat: Any
    """Gibbs energy released, MeV per baryon."""


REACTION_COLUMNS = slice(SegmentRow._fields.index("nuclide"), None)
"""Columns of a `SegmentRow` that name its reaction, and the neutrons that it sets free."""


def column(row: type[NamedTuple], name: str) -> int:
    """Index of a column of rows of a kind."""
    return row._fields.index(name)


def stacked(row: Any) -> Array:
    """A row as one array of floats: (columns,)."""
    return jnp.stack([jnp.asarray(value, float) for value in row])


# --- what an engine is given


class Settings(NamedTuple):
    """Physics and accuracy shared by all members of a sweep; a pytree of arrays."""

    matter: Matter
    """Neutron matter and lattice, for the equation of state."""
    t_weak: Array
    """Burn time below which a fusion goes before electron captures, s."""
    neutrino_fraction: Array
    """Part of the Gibbs energy of electron captures that neutrinos take."""
    max_steps: Array
    """Micro-steps of a member, at most."""
    dlnP: Array
    """Longest move of the slide engine, in ln P."""
    landed: Array
    """How near moves of the slide engine end to where anything changes, in ln P."""
    fusion_density: Array | None = None
    """(Z_MAX + 1,) density from which nuclei of a charge number fuse, g cm^-3, if not by burn time."""


class Member(NamedTuple):
    """What makes one member; a pytree of arrays."""

    model: Array
    """Index of the mass model in the network."""
    errors: Any
    """MassErrors; once the member has started, the errors drawn, (codes,) MeV; None without."""
    ln_rate_scale: Array
    """ln of the factor on all fusion rates."""
    g_mdot: Array
    """g times mdot, MeV fm^-3 s^-1."""
    nuclide: Array
    """(slots,) codes of the ash."""
    Y: Array
    """(slots,) nuclei of the ash per baryon."""
    chunk: Array
    """Largest amount of one reaction, per baryon."""


# --- what an engine records


class Output(NamedTuple):
    """What one micro-step has to record; a line beyond the end of its table (NOWHERE) means nothing."""

    line: Array
    """Index of the pressure whose burn has ended."""
    row: Array
    """A ProfileRow."""
    segment_line: Array
    """Number of the segment that has ended, or gone on."""
    segment_row: Array
    """A SegmentRow."""
    trace_line: Array
    """Number of the reaction."""
    trace_row: Array
    """A TraceRow."""
    record_line: Array | None = None
    """Number of the step, of an engine that records its steps."""
    record_row: Array | None = None
    """(record_columns,) the step, as the engine has it."""


class Segments(IntEnum):
    """What the segments of an engine are, and so how mu_e(P) is put together from them (`gpucrust.profiles.curves`)."""

    SLIDES = 0
    """They follow each other without a gap, each along one marginal reaction, or at frozen composition."""
    TEETH = 1
    """Rows of burns set off by one reaction, at the thresholds of which mu_e lies on one curve: the teeth of a saw."""
    JUMPS = 2
    """Burns at one pressure each; composition is frozen between them."""


class Engine(Protocol):
    """One way of taking a member through the crust.

    Engines are frozen dataclasses of plain values: they are static arguments of the programs that run them, and their
    `repr` is part of the names under which programs are kept.
    """

    @property
    def steps_per_call(self) -> int:
        """Micro-steps between two looks of the host at the lanes."""

    @property
    def segments(self) -> Segments:
        """What its segments are."""

    def step_limit(self, dlnP: float) -> int:
        """Micro-steps that no crust has come near; dlnP: longest move, in ln P."""

    def record_columns(self, slots: int) -> int:
        """Columns of the record of a step; 0 for an engine that keeps none."""

    def init(self, member: Member, network: Network, settings: Settings) -> Any:
        """The `State` of a member at the lowest pressure, with nothing burned yet."""

    def step(self, state: Any, member: Member, network: Network, settings: Settings) -> tuple[Any, Output]:
        """The `State` after one micro-step, and what it records."""
