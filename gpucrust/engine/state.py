"""What the states of all engines have in common: the stock of a member, and the account of what has come of it."""

from typing import NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import RUNNING, SegmentRow
from gpucrust.status import Status


class Stock(NamedTuple):
    """The nuclides and free neutrons there are; a pytree of arrays."""

    nuclide: Array
    """(slots,) codes."""
    Y: Array
    """(slots,) nuclei per baryon; 0 marks an empty slot."""
    dE: Array
    """(channels, slots) energy change of each slot's channels by the policy in force, MeV; inf where there is none."""
    Y_n: Array
    """Free neutrons per baryon."""


class Account(NamedTuple):
    """What has come of a member so far; a pytree of arrays."""

    heat: Array
    """Heat released since the first pressure, MeV per baryon."""
    mismatch: Array
    """Energy released by reading masses from several tables, beyond one table's, MeV per baryon."""
    switched: Array
    """Whether `unmixed` has given way to one table."""
    grid_index: Array
    """Index of the next pressure to record."""
    n_steps: Array
    """Micro-steps taken."""
    n_reactions: Array
    """Reactions (or burns) so far."""
    n_recorded: Array
    """Steps recorded so far, by an engine that records its steps."""
    max_active: Array
    """Most nuclides at a time."""
    status: Array
    """RUNNING or a Status."""
    segment_index: Array
    """Number of the present segment; -1 before the first."""
    segment: Array
    """(len(SegmentRow._fields),) the present segment."""


def new_account(Y: Array, on_edge: Array) -> Account:
    """The account at the lowest pressure; Y: (slots,) ash; on_edge: whether one of its nuclides ends its mass table."""
    zero, count = jnp.array(0.0), jnp.array(0)
    return Account(
        heat=zero,
        mismatch=zero,
        switched=jnp.array(False),
        grid_index=count,
        n_steps=count,
        n_reactions=count,
        n_recorded=count,
        max_active=jnp.sum(Y > 0),
        status=jnp.where(on_edge, int(Status.CHART_EDGE), RUNNING),
        segment_index=jnp.array(-1),
        segment=jnp.zeros(len(SegmentRow._fields)),
    )


class State(Protocol):
    """A member under way: a pytree of arrays with whatever an engine needs, and these."""

    @property
    def stock(self) -> Stock:
        """Nuclides and free neutrons."""

    @property
    def account(self) -> Account:
        """What has come of it so far."""
