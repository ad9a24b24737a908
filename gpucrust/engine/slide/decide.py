"""What a trial of the slide engine turns out to be, where packets lead from it, and what is to be done."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member, Settings
from gpucrust.engine.network import Network
from gpucrust.engine.slide.amount import SOLVED_H, SOLVED_P
from gpucrust.engine.slide.cascade import (
    FUSION_THRESHOLD,
    MAX_WALK,
    NOTHING,
    Net,
    Walk,
    best_captor,
    choose,
    feed,
    start_walk,
    zero_net,
)
from gpucrust.engine.slide.cascade import step as walk_step
from gpucrust.engine.slide.evaluate import Choice, View, crossing, find, most_urgent, next_slider, pair_index
from gpucrust.engine.slide.events import PER_LN_P, Search, narrow
from gpucrust.engine.slide.net import change_of, settle
from gpucrust.engine.slide.state import Label, SlideState, is_same, no_label
from gpucrust.physics import eos
from gpucrust.physics.potentials import Sums
from gpucrust.physics.reactions import CHANNELS

WALK_STEPS = 4
"""Of a packet, in one step of the engine."""


class Verdict(NamedTuple):
    """What a trial turns out to be."""

    accepted: Array
    passed: Array  # a threshold; P_back is where it is expected
    P_back: Array
    urgent: Choice  # of all that may react
    choice: Choice  # whose packet is to be followed
    label: Label  # of the choice
    landed: Array  # a move ends where something becomes possible
    late: Array  # and it is a fusion that was fast before, but released no energy
    quiet: Array  # a move ends where nothing does
    burns: Array  # at constant pressure, something is possible
    rests: Array  # at constant pressure, nothing is

    @property
    def channel(self) -> Array:
        """Of the choice; some channel where it is a fusion or nothing."""
        return jnp.clip(self.choice.channel, 0, CHANNELS - 1)


def judge(state: SlideState, view: View, network: Network, settings: Settings) -> Verdict:
    """Whether the trial is a solution not beyond a threshold, and what goes on there."""
    error_P = jnp.abs(jnp.log(eos.pressure(view.n_b, view.sums.mixture, settings.matter) / state.P_trial))
    first, second = slots_of(state.slider, state)
    sliding_fusion = state.slider.channel == CHANNELS
    ratio = view.ratio[pair_index(first, second, state.stock.Y.shape[0])]
    h = jnp.where(sliding_fusion, ratio, view.g[jnp.clip(state.slider.channel, 0, CHANNELS - 1), first])
    # (a fusion whose parents have been used up has no burn time)
    solved = (error_P < SOLVED_P) & (~state.root | (jnp.abs(h) < SOLVED_H) | jnp.isinf(h))
    beyond, P_back = crossing(state, view, settings)
    accepted = solved & ~beyond

    urgent, following = most_urgent(view, network), next_slider(state, view, network)
    landed = accepted & state.moving & urgent.found
    near, pair = PER_LN_P * settings.landed, pair_index(urgent.first, urgent.second, state.stock.Y.shape[0])
    fast = (view.ratio[pair] < FUSION_THRESHOLD - near) & (state.ratio[pair] < FUSION_THRESHOLD)
    late = landed & (urgent.channel == CHANNELS) & fast
    burns = accepted & ~state.moving & urgent.found
    i, j, there = find(state.slider, view)
    slider = Choice(there & state.slides & ~sliding_fusion, i, j, state.slider.channel, following.product)
    # where a move ends at a threshold its slider is looked at again: the two may oppose each other
    choice = choose(burns, urgent, choose(landed, slider, following))
    return Verdict(
        accepted=accepted,
        passed=beyond & solved,
        P_back=P_back,
        urgent=urgent,
        choice=choice,
        label=choose(choice.found, choice.label(state.stock.nuclide), no_label()),
        landed=landed,
        late=late,
        quiet=accepted & state.moving & ~urgent.found,
        burns=burns,
        rests=accepted & ~state.moving & ~urgent.found,
    )


def slots_of(label: Label, state: SlideState) -> tuple[Array, Array]:
    """Slots of a reaction's parents, whether or not any are left."""
    return jnp.argmax(state.stock.nuclide == label.first), jnp.argmax(state.stock.nuclide == label.second)


class Arrival(NamedTuple):
    """What following the packet of a choice has led to."""

    walk: Walk
    walking: Array  # still
    arrived: Array
    nuclide: Array  # with room for what was made
    dE: Array
    full: Array
    net: Net  # nothing unless arrived
    change: Sums


def follow(state: SlideState, view: View, verdict: Verdict, member: Member, network: Network) -> Arrival:
    """Let the packet of the choice, or the one that is under way, make some steps."""
    choice = verdict.choice
    g = view.g[verdict.channel, choice.first]
    with_way = state.walk.way is not None
    fresh = start_walk(choice.first, choice.second, choice.channel, g, choice.product, view.here, with_way)
    walk = choose(state.walk.on, state.walk, fresh)
    g_captor = best_captor(view.g, view.here)[2]
    walk = jax.lax.fori_loop(0, WALK_STEPS, lambda _, w: walk_step(w, g_captor, view.here, network), walk)
    walk = feed(walk, view.g, view.here)
    walks = choice.found & verdict.accepted
    walking = walks & walk.on
    arrived = walks & ~walking
    nuclide, dE, net, full = settle(state, walk, view, member, network)
    nuclide, dE = jnp.where(arrived, nuclide, state.stock.nuclide), jnp.where(arrived, dE, state.stock.dE)
    net = choose(arrived, net, zero_net(state.stock.Y.shape[0]))
    return Arrival(walk, walking, arrived, nuclide, dE, full & arrived, net, change_of(nuclide, net))


class Decision(NamedTuple):
    """What this step does."""

    again: Array  # the move is tried to another pressure
    P_again: Array
    search: Search
    parts: Array  # the move ends where its net changes
    commits: Array  # the trial becomes the state
    starts: Array  # a move
    burns: Array
    stays: Array  # at the pressure, with no trial
    renews: Array  # the net of the slider, which may become a partner
    endless: Array  # a packet has come back to where it began


def decide(state: SlideState, verdict: Verdict, arrival: Arrival, P_part: Array, settings: Settings) -> Decision:
    """Move on, burn, or try again; P_part: where a move ends that is let go on."""
    same = verdict.quiet & state.slides & is_same(verdict.label, state.slider)
    change = jnp.sum(jnp.abs(arrival.net.Y - state.net.Y)) + jnp.abs(arrival.net.Y_n - state.net.Y_n)
    differs = verdict.late | (same & (change > NOTHING))
    searched = same | verdict.late | (verdict.quiet & jnp.isfinite(state.search.high))
    search, again, P_again = narrow(state.search, state.P, state.P_trial, P_part, differs, arrival.walk.way, settings)
    # a packet that goes round for ever, as masses of several tables let it, tells nothing
    searched = searched & ~arrival.walking & (arrival.walk.steps < MAX_WALK)
    search, again = choose(searched, search, state.search), searched & again
    goes = verdict.accepted & ~arrival.walking & ~again
    # a packet that comes back to where it began: masses of several tables release energy around a loop for ever
    endless = arrival.arrived & goes & ~verdict.landed & ~jnp.any(arrival.net.Y < -NOTHING)
    return Decision(
        again=again,
        P_again=P_again,
        search=search,
        parts=same & differs & searched & ~again & ~search.lets_go,
        commits=goes,
        starts=goes & (verdict.rests | verdict.quiet) & ~endless,
        burns=goes & verdict.burns & ~endless,
        stays=(verdict.landed & goes) | endless,
        renews=verdict.landed & arrival.arrived & goes,
        endless=endless,
    )
