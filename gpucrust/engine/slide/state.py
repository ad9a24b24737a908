"""The state of a member of the slide engine, made of what a step looks at and what it has to remember."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Member, ReactionName, Settings, no_reaction
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.slide.events import Bisection, new_bisection
from gpucrust.engine.slide.net import Net, zero_net
from gpucrust.engine.slide.packet import Packet, resting_packet
from gpucrust.engine.slide.record import Amount
from gpucrust.engine.state import Account, Stock, new_account
from gpucrust.physics import eos
from gpucrust.physics.potentials import Potentials, potentials_of, sums_of


class Trial(NamedTuple):
    """What is looked at: the stock after an amount of a net, at another pressure (a move) or at the same."""

    moves: Array
    """Whether it is a move in pressure; else a burn, or, with an amount of 0, the present state."""
    P: Array
    """Pressure, MeV fm^-3."""
    ln_n_b: Array
    """ln of the baryon density in fm^-3."""
    amount: Array
    """Units of the net, per baryon."""
    net: Net
    """What one unit does, an opposing partner's part included."""
    trigger: ReactionName
    """The reaction whose net it is."""
    reacts: Array
    """Whether there is such a reaction; else composition is frozen."""
    marginal: Array
    """Whether the amount is the one that leaves the trigger marginal."""
    partner_units: Array
    """Units of the partner's net in one unit of this net."""
    amount_kind: Array
    """What determines the amount, an `Amount`."""
    limit: Array
    """Slot of the nuclide that the net uses up first; -1 for the free neutrons."""
    tries: Array
    """Times that it has been improved, or taken back from beyond a threshold."""


class Start(NamedTuple):
    """Where the trial begins."""

    bisection: Bisection
    """Between which pressures of the present move something changes."""
    potentials: Potentials
    """Potentials of the present state."""
    ln_time_ratio: Array
    """(pairs,) ln(tau/t_acc) of fusions where the last move began; inf where impossible."""


class Memory(NamedTuple):
    """What has burned."""

    regulated: Array
    """(pairs,) fusions that have burned, and not been slow since with plenty of both parents. What a slide makes of
    their parents may fuse whenever there is a little of it: that ends no move."""
    partner: ReactionName
    """The reaction that the last move or burn has left marginal: it may oppose the next one."""
    partner_net: Net
    """Its net."""
    last_channel: ReactionName
    """The last channel that a burn has left marginal."""
    last_fusion: ReactionName
    """The last fusion that burned."""


class SlideState(NamedTuple):
    """A member under way; a pytree of arrays."""

    stock: Stock
    """The nuclides and free neutrons there are."""
    P: Array
    """Pressure, MeV fm^-3."""
    trial: Trial
    """What is looked at next."""
    start: Start
    """Where that begins."""
    memory: Memory
    """What has burned."""
    packet: Packet
    """The packet under way, if one is: of the reaction that goes on at the trial."""
    account: Account
    """What has come of the member so far."""


def initial_slide(member: Member, network: Network, settings: Settings, with_cascades: bool) -> SlideState:
    """The ash at the lowest pressure of the grid, with nothing burned yet; with_cascades: packets remember them."""
    slots = member.Y.shape[0]
    pairs = slots * (slots + 1) // 2
    P, zero, count, no = network.pressures[0], jnp.array(0.0), jnp.array(0), jnp.array(False)
    sums = sums_of(member.nuclide, member.Y, zero)
    guess = eos.cold_density_guess(P, sums.Y_e)
    n_b = eos.density_at_pressure(P, sums.mixture, settings.matter, guess, 15)
    dE = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[0])(member.nuclide).T
    on_edge = jnp.any(network.edge[member.model, member.nuclide] & (member.Y > 0))
    nothing, packet = zero_net(slots), resting_packet(member.nuclide[0], slots, with_cascades)
    frozen = jnp.array(int(Amount.NONE))
    return SlideState(
        stock=Stock(nuclide=member.nuclide, Y=member.Y, dE=dE, Y_n=zero),
        P=P,
        trial=Trial(no, P, jnp.log(n_b), zero, nothing, no_reaction(), no, no, zero, frozen, count, count),
        start=Start(
            bisection=new_bisection(P, packet.cascade),
            potentials=potentials_of(n_b, sums, settings.matter),
            ln_time_ratio=jnp.full(pairs, jnp.inf),
        ),
        memory=Memory(jnp.zeros(pairs, bool), no_reaction(), nothing, no_reaction(), no_reaction()),
        packet=packet,
        account=new_account(member.Y, on_edge),
    )
