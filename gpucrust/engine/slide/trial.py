"""The next trial: of a burn, of a move, or of the present one again."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member, ReactionName, Settings, no_reaction
from gpucrust.engine.network import Network, fusion_index
from gpucrust.engine.select import choose
from gpucrust.engine.slide.amount import Solution, Threshold, solve
from gpucrust.engine.slide.bookkeeping import Present
from gpucrust.engine.slide.choice import Choice
from gpucrust.engine.slide.decide import Act, Decision
from gpucrust.engine.slide.evaluate import View, find, slots_of
from gpucrust.engine.slide.follow import Arrival
from gpucrust.engine.slide.judge import Verdict
from gpucrust.engine.slide.net import ROUNDING, Net, change_of, largest_amount, plus, torque, zero_net
from gpucrust.engine.slide.record import Amount
from gpucrust.engine.slide.state import SlideState, Trial
from gpucrust.nuclide import nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.potentials import Potentials, Sums, potentials_of, sums_of, tabulated_z53_change
from gpucrust.physics.pycno import PairConstants
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS

LARGEST_CHANGE = 0.05
"""Largest change of mu_e and of mu_n in one burn, MeV: so small that its cascade stays the same."""


class Plan(NamedTuple):
    """What the next trial is of, before it is known how far it goes; a pytree of arrays."""

    new: Array
    """Whether it is of a burn or move that begins; else of the present one again."""
    burns: Array
    """Whether a burn begins."""
    moves: Array
    """Whether it is a move."""
    net: Net
    """What one unit does, an opposing partner's part included."""
    trigger: ReactionName
    """The reaction whose net it is."""
    choice: Choice
    """The trigger among the slots."""
    reacts: Array
    """Whether there is a trigger."""
    opposed: Array
    """Whether the marginal partner opposes the trigger: the two burn together."""
    partner_units: Array
    """Units of the partner's net in one unit of the net."""


class Bounds(NamedTuple):
    """How far a net may go; a pytree of scalars."""

    d_max: Array
    """Largest amount, per baryon."""
    limit: Array
    """Slot of the nuclide that it uses up; -1 for the free neutrons."""
    holds: Array
    """Whether a burn is tried again that holds its amount."""
    given: Array
    """Whether all of d_max goes."""


class Ends(NamedTuple):
    """How a burn that begins will end; a pytree of scalars."""

    given: Array
    """Its amount is given: all there is, or that of a burn that is tried again."""
    marginal: Array
    """It leaves its trigger marginal."""
    opposed: Array
    """Its trigger and its partner end together, where a parent of one of them is used up."""


def with_partner(state: SlideState, view: View, verdict: Verdict, arrival: Arrival, burns: Array) -> tuple:
    """The net of a burn, with its marginal partner if the two oppose each other: (net, partner units, whether so).

    They burn together in the ratio that leaves mu_e and mu_n as they are.
    """
    memory, name, (*_, there) = state.memory, verdict.name, find(state.memory.partner, view)
    T = torque(arrival.change, view.sums)
    T_partner = torque(change_of(arrival.nuclide, memory.partner_net), view.sums)
    channels = (memory.partner.channel >= 0) & (memory.partner.channel < CHANNELS) & (name.channel < CHANNELS)
    opposed = burns & there & channels & ~memory.partner.is_same(name) & (T * T_partner < 0)
    units = jnp.where(opposed, -T / jnp.where(opposed, T_partner, 1.0), 0.0)
    both = plus(arrival.net, memory.partner_net, units)
    opposed = opposed & jnp.any(both.Y < -ROUNDING)  # not a reaction and its reverse
    return choose(opposed, both, arrival.net), jnp.where(opposed, units, 0.0), opposed


def plan_of(state: SlideState, view: View, verdict: Verdict, arrival: Arrival, decision: Decision) -> Plan:
    """The net and trigger of the next trial. No slide begins along a channel whose net would drive it on."""
    trial, choice, act, c = state.trial, verdict.choice, decision.act, verdict.channel
    new = act.burns | act.moves
    burn_net, units, opposed = with_partner(state, view, verdict, arrival, act.burns)
    push = jnp.asarray(CHANNEL_DZ)[c] * view.sums.Y_n - jnp.asarray(CHANNEL_K)[c] * view.sums.Y_e
    runs_away = (choice.channel < CHANNELS) & (push * torque(arrival.change, view.sums) < 0)
    reacts = jnp.where(new, arrival.arrived & (act.burns | ~runs_away), trial.reacts)
    first, second = slots_of(trial.trigger, state.stock.nuclide)
    present = Choice(trial.reacts, first, second, trial.trigger.channel, choice.product)
    return Plan(
        new=new,
        burns=act.burns,
        moves=jnp.where(new, act.moves, trial.moves),
        net=choose(new, choose(act.burns, burn_net, arrival.net), trial.net),
        trigger=choose(new, choose(reacts, verdict.name, no_reaction()), trial.trigger),
        choice=choose(new, choice, present),
        reacts=reacts,
        opposed=opposed,
        partner_units=jnp.where(new, units, trial.partner_units),
    )


def threshold_of(
    choice: Choice, nuclide: Array, dE: Array, Y: Array, net: Net, member: Member, network: Network
) -> Threshold:
    """What the solver must know of a reaction."""
    c = jnp.clip(choice.channel, 0, CHANNELS - 1)
    dZ, k = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c]
    parents = jnp.stack([choice.first, choice.second])
    zero = jnp.array(0.0)
    pair, ln_offset = PairConstants(zero, zero, zero), zero
    if network.pairs is not None:
        i, j = fusion_index(nuclide[parents])[0]
        pair = PairConstants(*network.pairs[i, j])
        ln_offset = jnp.where(choice.first == choice.second, jnp.log(0.5), 0.0) - member.ln_rate_scale
    return Threshold(
        fusion=choice.channel == CHANNELS,
        dE=dE[c, choice.first],
        dZ=dZ,
        k=k,
        dz53=tabulated_z53_change(nuclide_Z(nuclide[choice.first]), dZ),
        pair=pair,
        ln_offset=ln_offset,
        Y=Y[parents],
        net_Y=net.Y[parents],
        ln_g_mdot=jnp.log(member.g_mdot),
    )


def share_of(solution: Solution, x: Array, start: Sums, change: Sums, at: Potentials, matter: eos.Matter) -> Array:
    """Share of a solution's amount by which mu_e and mu_n change by no more than LARGEST_CHANGE; x: ln n_b before it.

    Between the start and the solution ln n_b is taken to be linear in the amount.
    """
    share = jnp.ones_like(x)
    for _ in range(3):
        then = potentials_of(jnp.exp(x + share * (solution.x - x)), start.plus(change, share * solution.d), matter)
        moved = jnp.maximum(jnp.abs(then.mu_e - at.mu_e), jnp.abs(then.mu_n - at.mu_n))
        share = jnp.where(moved > LARGEST_CHANGE, share * jnp.clip(0.8 * LARGEST_CHANGE / moved, 0.05, 1.0), share)
    return share


def first_guess(state: SlideState, plan: Plan, decision: Decision, P: Array, d_max: Array) -> Array:
    """An amount to begin Newton's method with: in proportion to the length of a move that goes on, else a little."""
    trial = state.trial
    scale = jnp.log(P / state.P) / jnp.log(trial.P / state.P)
    goes_on = ~plan.new | (plan.trigger.is_same(trial.trigger) & trial.moves)
    guess = jnp.where(decision.act.elsewhere, trial.amount * scale, trial.amount)
    return jnp.minimum(jnp.where(plan.new & ~goes_on, 0.01 * d_max, guess), d_max)


def bounds_of(trial: Trial, plan: Plan, present: Present, member: Member) -> Bounds:
    """How far the net of a plan may go. All goes of two reactions that oppose each other, and of a fusion of little."""
    # a burn of a share, or of all there is, holds its amount when it is tried again; only the density is improved
    holds = ~plan.new & ~trial.moves & ~trial.marginal
    stock, limit = largest_amount(present.Y, present.Y_n, plan.net)
    d_max = jnp.where(holds, trial.amount, stock)
    small = (plan.choice.channel == CHANNELS) & (d_max <= member.chunk)
    return Bounds(d_max, limit, holds, given=(plan.burns & (plan.opposed | small)) | holds)


def next_trial(
    state: SlideState,
    view: View,
    plan: Plan,
    arrival: Arrival,
    decision: Decision,
    present: Present,
    P_next: Array,
    member: Member,
    network: Network,
    settings: Settings,
) -> tuple[Trial, Ends]:
    """The trial of a plan, and how it ends if it is a burn; P_next: end of a move that begins, MeV fm^-3."""
    trial, matter, x = state.trial, settings.matter, state.trial.ln_n_b
    change, sums = change_of(arrival.nuclide, plan.net), sums_of(arrival.nuclide, present.Y, present.Y_n)
    d_max, limit, holds, given = bounds_of(trial, plan, present, member)
    threshold = threshold_of(plan.choice, arrival.nuclide, arrival.dE, present.Y, plan.net, member, network)
    P = jnp.where(plan.burns, present.P, jnp.where(decision.act.moves, P_next, decision.P_again))
    guess = first_guess(state, plan, decision, P, d_max)
    solution = solve(P, x, guess, plan.reacts, plan.moves, given, d_max, threshold, sums, change, matter)
    share = share_of(solution, x, sums, change, view.here.potentials, matter)
    in_part = plan.burns & ~plan.opposed & (share < 1)
    d = jnp.where(in_part, share * solution.d, solution.d)
    marginal = solution.root & ~in_part
    kind = jnp.where(in_part, int(Amount.SHARE), jnp.where(d >= d_max, int(Amount.USED_UP), int(Amount.MARGINAL)))
    new = Trial(
        moves=plan.moves,
        P=solution.P,
        ln_n_b=jnp.where(in_part, x + share * (solution.x - x), solution.x),
        amount=d,
        net=plan.net,
        trigger=plan.trigger,
        reacts=plan.reacts,
        marginal=marginal,
        partner_units=plan.partner_units,
        amount_kind=jnp.where(holds, trial.amount_kind, jnp.where(d > 0, kind, int(Amount.NONE))),
        limit=limit,
        tries=jnp.where(decision.act.counts, trial.tries + 1, 0),
    )
    return new, Ends(given, plan.burns & marginal & (d < d_max), plan.opposed)


def resting_or_waiting(new: Trial, old: Trial, act: Act) -> Trial:
    """The new trial; where the step rests, the present state; where it waits, the old trial."""
    still = act.waits | act.rests
    nothing = zero_net(old.net.Y.shape[0])
    kind = jnp.where(act.waits, old.amount_kind, new.amount_kind)
    return new._replace(
        moves=new.moves & ~act.rests,
        P=jnp.where(still, old.P, new.P),
        ln_n_b=jnp.where(still, old.ln_n_b, new.ln_n_b),
        amount=jnp.where(act.rests, 0.0, jnp.where(act.waits, old.amount, new.amount)),
        net=choose(act.rests, nothing, choose(act.waits, old.net, new.net)),
        reacts=jnp.where(still, old.reacts & ~act.rests, new.reacts),
        marginal=jnp.where(still, old.marginal & ~act.rests, new.marginal),
        amount_kind=jnp.where(act.rests, int(Amount.NONE), kind),
        limit=jnp.where(act.waits, old.limit, new.limit),
        tries=jnp.where(act.waits, old.tries, new.tries),
    )
