"""Thresholds that a move has gone beyond, and where the first of them is expected."""

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.fusion import Fusions
from gpucrust.engine.interface import Settings
from gpucrust.engine.slide.cascade import FUSION_THRESHOLD
from gpucrust.engine.slide.evaluate import View
from gpucrust.engine.slide.events import AFFINITY_PER_LN_P
from gpucrust.engine.slide.state import SlideState
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics.potentials import channel_affinities
from gpucrust.physics.reactions import CHANNELS, THRESHOLD

SHORTEST_MOVE = 1e-9
"""Length of a move in ln P below which it is not made shorter, whatever it has gone beyond."""


def _channels_crossed(state: SlideState, view: View, near: Array) -> Array:
    """(channels slots,) part of the move after which a channel crosses its threshold; inf where it does not."""
    trial, channel = state.trial, jnp.arange(CHANNELS)[:, None]
    own = trial.reacts & (state.stock.nuclide == trial.trigger.nuclide) & (channel == trial.trigger.channel)
    g_before = channel_affinities(state.stock.dE, nuclide_Z(state.stock.nuclide), state.start.potentials)
    beyond = view.allowed & (view.g < THRESHOLD - near) & ~own & (g_before >= THRESHOLD)
    return jnp.where(beyond, (g_before - THRESHOLD + near / 2) / (g_before - view.g), jnp.inf).ravel()


def _fusions_crossed(state: SlideState, view: View, fusions: Fusions, near: Array) -> Array:
    """(pairs,) part of the move after which a fusion crosses its threshold; inf where it does not."""
    trial, trigger, nuclide = state.trial, state.trial.trigger, state.stock.nuclide
    start, then = state.start.ln_time_ratio, view.ln_time_ratio
    first, second = nuclide[jnp.asarray(fusions.first)], nuclide[jnp.asarray(fusions.second)]
    sliding_fusion = trial.reacts & (trigger.channel == CHANNELS)
    own = sliding_fusion & (first == trigger.nuclide) & (second == trigger.second_nuclide)
    own = own | (sliding_fusion & (first == trigger.second_nuclide) & (second == trigger.nuclide))
    regulated = trial.reacts & ~sliding_fusion & state.memory.regulated
    # a nuclide that was not there yet fuses with others at the end of the move, with itself once there is enough
    known = jnp.isfinite(start)
    there = (known | (jnp.asarray(fusions.first) == jnp.asarray(fusions.second))) & (start >= FUSION_THRESHOLD)
    beyond = (then < FUSION_THRESHOLD - near) & ~own & ~regulated & there
    before = jnp.where(known & there, start, 0.0)
    secant = jnp.where(known, (before - FUSION_THRESHOLD + near / 2) / (before - then), 0.5)
    return jnp.where(beyond, secant, jnp.inf)


def crossing(state: SlideState, view: View, settings: Settings) -> tuple[Array, Array]:
    """Whether the move has gone beyond a threshold, and the pressure at which the first such one is expected."""
    near, trial = AFFINITY_PER_LN_P * settings.landed, state.trial
    part = _channels_crossed(state, view, near)
    if view.fusions is not None:
        part = jnp.append(part, _fusions_crossed(state, view, view.fusions, near))
    nearest = jnp.min(part)
    # secants from the start come nearer too slowly where a nuclide grows from next to nothing: begin from half way
    nearest = jnp.where(trial.tries % 4 == 3, nearest / 2, nearest)
    long_enough = jnp.log(trial.P / state.P) > SHORTEST_MOVE
    P = state.P * (trial.P / state.P) ** jnp.clip(nearest, 0.02, 1 - 1e-9)
    return trial.moves & jnp.isfinite(nearest) & long_enough, P
