"""The threshold-search stepper: one member of the ensemble through the crust (CS20 section 2.3.1).

`micro_step` is uniform: it evaluates every affinity once and then either lets one reaction happen at constant
pressure, or moves in pressure at frozen composition, or goes back because a move has passed a threshold. Lanes of a
batch therefore never wait for each other's branch. A move is a search: `n_b` may be a trial until the affinities
there have been seen, with `n_b_quiet` the last density at which nothing was allowed.

Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.chunk.bookkeeping import follow_segment, output_of, react, status_of
from gpucrust.engine.chunk.conversion import Conversion
from gpucrust.engine.chunk.evaluate import View, look
from gpucrust.engine.chunk.state import ChunkState, mixture_of
from gpucrust.engine.chunk.threshold_search import MAX_DLNP, crossings_of, next_density
from gpucrust.engine.chunk.urgent import most_urgent
from gpucrust.engine.grid import end_of_move
from gpucrust.engine.interface import Member, Output, Settings
from gpucrust.engine.network import Network
from gpucrust.physics import eos

CONVERGED = 1e-12
"""Relative error of the pressure above which a density solve has failed."""


class Move(NamedTuple):
    """How far the next move goes, unless a reaction happens; a pytree of scalars."""

    passed: Array
    """Whether this one has passed a threshold."""
    n_b: Array
    """Density to try next, fm^-3."""
    at_target: Array
    """Whether that is where the move ends by its length, or at a recorded pressure."""
    P_target: Array
    """Pressure there, MeV fm^-3."""


def next_move(
    state: ChunkState,
    view: View,
    something: Array,
    grid_index: Array,
    member: Member,
    network: Network,
    settings: Settings,
    conversion: Conversion,
) -> Move:
    """On to the next threshold, or back to one that was passed. something: whether a reaction is allowed here."""
    crossings = crossings_of(view, state, member, settings)
    passed = something & jnp.any(crossings.passed)
    P_target = end_of_move(state.P, grid_index, MAX_DLNP, network.pressures)
    n_b_target = eos.density_at_pressure(P_target, view.mixture, settings.matter, state.n_b)
    n_b = next_density(crossings, passed, n_b_target, view, state, member, settings, conversion)
    return Move(passed, n_b, ~something & (n_b == n_b_target), P_target)


def micro_step(
    state: ChunkState, member: Member, network: Network, settings: Settings, conversion: Conversion
) -> tuple[ChunkState, Output]:
    """One evaluation of all affinities, then one reaction or one move (module docstring)."""
    matter, grid = settings.matter, network.pressures
    view = look(state, member, network, settings, conversion)
    reaction, something = most_urgent(state, view, member, network, settings)
    reached = ~something & (state.P == grid[state.account.grid_index])
    grid_index = state.account.grid_index + reached
    move = next_move(state, view, something, grid_index, member, network, settings, conversion)
    # going back has found nothing lower: take the trial as it is
    happens = something & (~move.passed | (move.n_b == state.n_b))
    n_b_quiet = jnp.where(something, state.n_b_quiet, state.n_b)

    burn_ended = ~something & ~state.searching
    mu_e = eos.electron_chemical_potential(state.n_b * view.mixture.Y_e)
    state = follow_segment(state, reaction, happens & state.searching, burn_ended, mu_e)
    reaction = conversion.complete(reaction, happens, state, view.mixture, member, network, settings)
    output = output_of(state, view.mixture, reaction, happens, reached, burn_ended)

    after, full, at_edge = react(state, reaction, happens, member, network, settings)
    mixture = mixture_of(after.stock.nuclide, after.stock.Y, after.stock.Y_n)
    n_b_after = conversion.density_after(state.P, state.n_b, view.mixture, mixture, matter)
    n_b = jnp.where(happens, n_b_after, move.n_b)
    P_there = eos.pressure(n_b, mixture, matter)
    P = jnp.where(happens, state.P, jnp.where(move.at_target, move.P_target, P_there))
    n_steps = after.account.n_steps + 1
    status = status_of(
        ended=grid_index == grid.shape[0],
        full=full,
        at_edge=at_edge,
        segment=after.account.segment_index,
        n_steps=n_steps,
        max_steps=settings.max_steps,
        converged=jnp.abs(P_there - P) < CONVERGED * P,
    )
    account = after.account._replace(grid_index=grid_index, n_steps=n_steps, status=status)
    return after._replace(n_b=n_b, P=P, n_b_quiet=n_b_quiet, searching=~happens, account=account), output
