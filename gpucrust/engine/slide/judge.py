"""What a trial turns out to be: solved or not, beyond a threshold or not, and what may react there."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import ReactionName, Settings, no_reaction
from gpucrust.engine.network import Network
from gpucrust.engine.select import choose
from gpucrust.engine.slide.amount import SOLVED_H, SOLVED_P
from gpucrust.engine.slide.cascade import FUSION_THRESHOLD
from gpucrust.engine.slide.choice import Choice, most_urgent, next_marginal
from gpucrust.engine.slide.crossing import crossing
from gpucrust.engine.slide.evaluate import View, find, pair_index, slots_of
from gpucrust.engine.slide.events import AFFINITY_PER_LN_P
from gpucrust.engine.slide.state import SlideState
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNELS


class Verdict(NamedTuple):
    """What a trial turns out to be; a pytree of scalars."""

    solved: Array
    """Whether pressure and amount are what they are to be."""
    beyond: Array
    """Whether the move has gone beyond a threshold."""
    P_back: Array
    """Pressure at which that threshold is expected, MeV fm^-3."""
    accepted: Array
    """Whether the trial is solved and not beyond a threshold."""
    moves: Array
    """Whether it is a move."""
    urgent: Choice
    """The most urgent reaction of all that may react."""
    choice: Choice
    """The reaction whose packet is to be followed."""
    name: ReactionName
    """Its name."""
    at_threshold: Array
    """Whether a move ends where something becomes possible."""
    late: Array
    """Whether that is a fusion that was fast enough before, but released no energy."""

    @property
    def quiet(self) -> Array:
        """Whether a move ends where nothing is possible."""
        return self.accepted & self.moves & ~self.urgent.found

    @property
    def channel(self) -> Array:
        """Channel of the choice; some channel where it is a fusion or nothing."""
        return jnp.clip(self.choice.channel, 0, CHANNELS - 1)


def is_solved(state: SlideState, view: View, settings: Settings) -> Array:
    """Whether the trial has its pressure and, if that is what decides the amount, its trigger is marginal."""
    trial, trigger = state.trial, state.trial.trigger
    error_P = jnp.abs(jnp.log(eos.pressure(view.here.n_b, view.sums.mixture, settings.matter) / trial.P))
    first, second = slots_of(trigger, state.stock.nuclide)
    ln_time_ratio = view.ln_time_ratio[pair_index(first, second, state.stock.Y.shape[0])]
    g = view.g[jnp.clip(trigger.channel, 0, CHANNELS - 1), first]
    h = jnp.where(trigger.channel == CHANNELS, ln_time_ratio, g)
    # (a fusion whose parents have been used up has no burn time)
    return (error_P < SOLVED_P) & (~trial.marginal | (jnp.abs(h) < SOLVED_H) | jnp.isinf(h))


def judge(state: SlideState, view: View, network: Network, settings: Settings) -> Verdict:
    """Whether the trial is a solution not beyond a threshold, and what goes on there."""
    trial, slots = state.trial, state.stock.Y.shape[0]
    solved = is_solved(state, view, settings)
    beyond, P_back = crossing(state, view, settings)
    accepted = solved & ~beyond

    urgent, marginal = most_urgent(view, network), next_marginal(state.memory, view, network)
    at_threshold, burns = accepted & trial.moves & urgent.found, accepted & ~trial.moves & urgent.found
    near, pair = AFFINITY_PER_LN_P * settings.landed, pair_index(urgent.first, urgent.second, slots)
    fast = view.ln_time_ratio[pair] < FUSION_THRESHOLD - near
    fast = fast & (state.start.ln_time_ratio[pair] < FUSION_THRESHOLD)
    i, j, there = find(trial.trigger, view)
    slides = there & trial.reacts & ~(trial.trigger.channel == CHANNELS)
    trigger = Choice(slides, i, j, trial.trigger.channel, marginal.product)
    # where a move ends at a threshold its trigger is looked at again: the two may oppose each other
    choice = choose(burns, urgent, choose(at_threshold, trigger, marginal))
    return Verdict(
        solved=solved,
        beyond=beyond,
        P_back=P_back,
        accepted=accepted,
        moves=trial.moves,
        urgent=urgent,
        choice=choice,
        name=choose(choice.found, choice.name(state.stock.nuclide), no_reaction()),
        at_threshold=at_threshold,
        late=at_threshold & (urgent.channel == CHANNELS) & fast,
    )
