"""One step of the slide engine, uniform so that lanes of a batch never wait for each other's branch.

A step looks at a trial: the present state after d of the present net, at a trial pressure. The trial is improved (not
solved yet, or beyond a threshold), or packets are followed there, or it is accepted and the next trial is prepared.
Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.engine.interface import GUARD, Account, Member, Output, Settings, Stock, TraceRow
from gpucrust.engine.network import Network, channel_row, end_of_move
from gpucrust.engine.slide.amount import solve
from gpucrust.engine.slide.bookkeeping import Begin, next_status, output_of, segment_of, step_row
from gpucrust.engine.slide.cascade import NOTHING, Net, add, at_potentials, choose, zero_net
from gpucrust.engine.slide.decide import Arrival, Decision, Verdict, decide, follow, judge, slots_of
from gpucrust.engine.slide.evaluate import FUSION_MARGINAL, Choice, View, find, look
from gpucrust.engine.slide.events import PART, new_search, parting
from gpucrust.engine.slide.net import bitten, change_of, stock_of, torque, trigger_of
from gpucrust.engine.slide.record import Amount
from gpucrust.engine.slide.state import (
    Label,
    SlideState,
    is_same,
    no_label,
)
from gpucrust.physics.potentials import sums_of
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS


def commit(state: SlideState, view: View, decision: Decision) -> Begin:
    """The state that the next trial begins from: the trial if it is committed, with the heat it has released.

    The heat is taken at the mean of the potentials before and after.
    """
    released = (state.net.heat + at_potentials(state.net, state.at, view.at).heat) / 2
    d = jnp.where(decision.commits, state.d, 0.0)
    return Begin(
        Y=jnp.where(decision.commits, view.Y, state.stock.Y),
        Y_n=jnp.where(decision.commits, view.here.Y_n, state.stock.Y_n),
        P=jnp.where(decision.commits, state.P_trial, state.P),
        heat=state.account.heat + d * released,
        mismatch=state.account.mismatch + d * state.net.mismatch,
    )


class Trial(NamedTuple):
    """What is to be looked at next."""

    P: Array
    x: Array
    d: Array
    net: Net
    label: Label
    slides: Array
    moving: Array
    root: Array
    ratio_of_partner: Array
    amount_kind: Array
    limit: Array
    whole: Array  # the amount is given: a stock, or a burn cut short
    marginal: Array  # the burn ends at the margin of its trigger
    opposed: Array


def with_partner(state: SlideState, view: View, verdict: Verdict, arrival: Arrival, burns: Array) -> tuple:
    """The net of a burn, with its marginal partner if the two oppose each other: (net, ratio, whether they do)."""
    label, (*_, there) = verdict.label, find(state.partner, view)
    T = torque(arrival.change, view.sums)
    T_partner = torque(change_of(arrival.nuclide, state.partner_net), view.sums)
    channels = (state.partner.channel >= 0) & (state.partner.channel < CHANNELS) & (label.channel < CHANNELS)
    opposed = burns & there & channels & ~is_same(state.partner, label) & (T * T_partner < 0)
    ratio = jnp.where(opposed, -T / jnp.where(opposed, T_partner, 1.0), 0.0)
    both = add(arrival.net, state.partner_net, ratio)
    opposed = opposed & jnp.any(both.Y < -NOTHING)  # not a reaction and its reverse
    return choose(opposed, both, arrival.net), jnp.where(opposed, ratio, 0.0), opposed


def next_trial(
    state: SlideState,
    view: View,
    verdict: Verdict,
    arrival: Arrival,
    decision: Decision,
    begin: Begin,
    P_next: Array,
    member: Member,
    network: Network,
    settings: Settings,
) -> Trial:
    """Of a burn, of a move that begins (to P_next), or of the present one again."""
    burns, starts, matter = decision.burns, decision.starts, settings.matter
    new = burns | starts
    choice, label, c = verdict.choice, verdict.label, verdict.channel
    burn_net, ratio, opposed = with_partner(state, view, verdict, arrival, burns)
    push = jnp.asarray(CHANNEL_DZ)[c] * view.sums.Y_n - jnp.asarray(CHANNEL_K)[c] * view.sums.Y_e
    runs_away = (choice.channel < CHANNELS) & (push * torque(arrival.change, view.sums) < 0)
    slides = jnp.where(new, arrival.arrived & (burns | ~runs_away), state.slides)
    next_label = choose(new, choose(slides, label, no_label()), state.slider)
    moving = jnp.where(new, starts, state.moving)
    net = choose(new, choose(burns, burn_net, arrival.net), state.net)
    change = change_of(arrival.nuclide, net)
    sums = sums_of(arrival.nuclide, begin.Y, begin.Y_n)

    # a burn that is cut short, or of a whole stock, keeps its amount; only the density is improved
    kept = ~new & ~state.moving & ~state.root
    stock, limit = stock_of(begin.Y, begin.Y_n, net)
    d_max = jnp.where(kept, state.d, stock)
    small = (choice.channel == CHANNELS) & (d_max <= member.chunk)
    whole = (burns & (opposed | small)) | kept
    first, second = slots_of(state.slider, state)
    present = Choice(state.slides, first, second, state.slider.channel, choice.product)
    target = choose(new, choice, present)
    trigger = trigger_of(target, arrival.nuclide, arrival.dE, begin.Y, net, member, network)

    P_retry = jnp.where(verdict.passed, verdict.P_back, jnp.where(decision.again, decision.P_again, state.P_trial))
    P = jnp.where(burns, begin.P, jnp.where(starts, P_next, P_retry))
    scale = jnp.log(P / state.P) / jnp.log(state.P_trial / state.P)
    goes_on = ~new | (is_same(next_label, state.slider) & state.moving)
    guess = jnp.where(verdict.passed | decision.again, state.d * scale, state.d)
    guess = jnp.minimum(jnp.where(new & ~goes_on, 0.01 * d_max, guess), d_max)
    solution = solve(P, state.x, guess, slides, moving, whole, d_max, trigger, sums, change, matter)
    part = bitten(solution, state.x, sums, change, view.at, matter)
    cut = burns & ~opposed & (part < 1)
    d = jnp.where(cut, part * solution.d, solution.d)
    root = solution.root & ~cut
    kind = jnp.where(cut, int(Amount.SHARE), jnp.where(d >= d_max, int(Amount.USED_UP), int(Amount.MARGINAL)))
    return Trial(
        P=solution.P,
        x=jnp.where(cut, state.x + part * (solution.x - state.x), solution.x),
        d=d,
        net=net,
        label=next_label,
        slides=slides,
        moving=moving,
        root=root,
        ratio_of_partner=jnp.where(new, ratio, state.ratio_of_partner),
        amount_kind=jnp.where(kept, state.amount_kind, jnp.where(d > 0, kind, int(Amount.NONE))),
        limit=limit,
        whole=whole,
        marginal=burns & root & (d < d_max),
        opposed=opposed,
    )


def slide_step(state: SlideState, member: Member, network: Network, settings: Settings) -> tuple[SlideState, Output]:
    """One look at the trial and what follows from it (module docstring)."""
    slots, grid = state.stock.Y.shape[0], network.pressures
    view = look(state, member, network, settings)
    verdict = judge(state, view, network, settings)
    arrival = follow(state, view, verdict, member, network)

    P_part = end_of_move(state.P, state.account.grid_index, PART * settings.dlnP, network)
    decision = decide(state, verdict, arrival, P_part, settings)
    begin = commit(state, view, decision)
    reached = decision.starts & (begin.P == grid[state.account.grid_index])
    grid_index = state.account.grid_index + reached
    P_next = end_of_move(begin.P, grid_index, settings.dlnP, network)
    moves_on = decision.burns | decision.starts | decision.stays
    partner_net = at_potentials(state.partner_net, state.at, view.at)
    state = state._replace(partner_net=choose(moves_on, partner_net, state.partner_net))
    trial = next_trial(state, view, verdict, arrival, decision, begin, P_next, member, network, settings)

    dE, switched = arrival.dE, state.account.switched
    if network.dE_mixed is not None:
        guard = GUARD * jnp.sum(member.Y)
        begin = begin._replace(
            mismatch=jnp.where(decision.endless, jnp.maximum(begin.mismatch, 1.01 * guard), begin.mismatch)
        )
        switched = switched | (begin.mismatch > guard)
        rows = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[1])(arrival.nuclide).T
        dE = jnp.where(switched & ~state.account.switched, rows, dE)

    burns, starts, stays = decision.burns, decision.starts, decision.stays
    waits = arrival.walking | stays
    stuck = (decision.endless & (switched == state.account.switched)) | (burns & ~(trial.d > 0))
    stuck = stuck | (~waits & ~jnp.isfinite(trial.x + trial.d))
    rounds = jnp.where(verdict.accepted, jnp.where(arrival.walking, state.rounds, 0), state.rounds + 1)
    off_chart = (burns | starts) & arrival.arrived & arrival.walk.off_chart
    segment = segment_of(state, view, decision.commits, starts, begin, trial.label, trial.slides, verdict.channel)
    ended = grid_index == grid.shape[0]
    status = next_status(state, stuck, rounds, arrival.full, off_chart, ended, segment.number, settings)
    deeds = jnp.zeros(2)
    if state.search.way is not None and arrival.walk.way is not None:
        deeds = jnp.where(decision.parts, parting(state.search.way, arrival.walk.way), 0)
    urgent = verdict.urgent.label(state.stock.nuclide)
    row = step_row(state, view, begin.heat, reached, verdict.landed, urgent, deeds)
    trace = TraceRow(*verdict.label, k=trial.net.Y_n, amount=jnp.where(burns, trial.d, 0.0), P=begin.P, heat=0.0)
    output = output_of(state, view, begin, segment, reached, decision.commits, row, burns, trace)

    # what is made by a slide may burn whenever there is a little of it, with whatever is the fastest
    i, j = np.triu_indices(slots)
    a, b = verdict.choice.first, verdict.choice.second
    fused = burns & (verdict.label.channel == CHANNELS) & ((i == a) | (j == a) | (i == b) | (j == b))
    plenty = jnp.minimum(view.Y[i], view.Y[j]) > member.chunk
    regulated = (state.regulated | fused) & ~(starts & plenty & (view.ratio > FUSION_MARGINAL))
    # a burn that leaves its trigger marginal makes it the partner; one of a whole stock leaves the partner as it was
    to_partner = burns & ~trial.whole
    burned = choose(to_partner, choose(trial.marginal, verdict.label, no_label()), state.partner)
    is_channel = verdict.label.channel < CHANNELS
    stock = Stock(nuclide=arrival.nuclide, Y=begin.Y, dE=dE, Y_n=begin.Y_n)
    account = Account(
        heat=begin.heat,
        mismatch=begin.mismatch,
        switched=switched,
        grid_index=grid_index,
        n_steps=state.account.n_steps + 1,
        n_reactions=state.account.n_reactions + burns,
        n_recorded=state.account.n_recorded + (output.record_line == state.account.n_recorded),
        max_active=jnp.maximum(state.account.max_active, jnp.sum(begin.Y > 0)),
        status=status,
        segment_index=segment.number,
        segment=segment.row,
    )
    return SlideState(
        stock=stock,
        P=begin.P,
        moving=trial.moving & ~stays,
        P_trial=jnp.where(waits, state.P_trial, trial.P),
        x=jnp.where(waits, state.x, trial.x),
        d=jnp.where(stays, 0.0, jnp.where(arrival.walking, state.d, trial.d)),
        net=choose(stays, zero_net(slots), choose(arrival.walking, state.net, trial.net)),
        slider=trial.label,
        slides=jnp.where(waits, state.slides & ~stays, trial.slides),
        root=jnp.where(waits, state.root & ~stays, trial.root),
        ratio_of_partner=trial.ratio_of_partner,
        amount_kind=jnp.where(
            stays, int(Amount.NONE), jnp.where(arrival.walking, state.amount_kind, trial.amount_kind)
        ),
        limit=jnp.where(arrival.walking, state.limit, trial.limit),
        rounds=rounds,
        search=choose(starts, new_search(begin.P, arrival.walk.way), decision.search),
        at=choose(moves_on, view.at, state.at),
        ratio=jnp.where(starts, view.ratio, state.ratio),
        regulated=regulated,
        partner=choose(starts, trial.label, burned),
        partner_net=choose(starts | to_partner, trial.net, choose(decision.renews, arrival.net, state.partner_net)),
        last_channel=choose((trial.marginal | trial.opposed) & is_channel, verdict.label, state.last_channel),
        last_fusion=choose(burns & ~is_channel, verdict.label, state.last_fusion),
        walk=arrival.walk._replace(on=arrival.walking),
        account=account,
    ), output
