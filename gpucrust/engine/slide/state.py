"""The state of a member of the slide engine, and what is recorded of its steps."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust.engine.interface import Account, Member, Settings, Stock, new_account
from gpucrust.engine.network import Network, channel_row
from gpucrust.engine.slide.cascade import Net, Walk, resting_walk, zero_net
from gpucrust.engine.slide.events import Search, new_search
from gpucrust.engine.slide.record import Amount
from gpucrust.physics import eos
from gpucrust.physics.potentials import Potentials, potentials_of, sums_of


class Label(NamedTuple):
    """A reaction by name: codes of the parents (equal but for fusions) and channel; -1 for none."""

    first: Array
    second: Array
    channel: Array


class SlideState(NamedTuple):
    """A member on its way; a pytree of arrays. The trial is `d` of `net` from here, at P_trial."""

    stock: Stock
    P: Array  # MeV fm^-3
    # trial
    moving: Array
    P_trial: Array
    x: Array  # ln n_b
    d: Array
    net: Net
    slider: Label
    slides: Array
    root: Array  # the slider is marginal at the trial
    ratio_of_partner: Array  # of the partner's net in this net
    amount_kind: Array
    limit: Array  # slot that the net uses up first, -1 for neutrons
    rounds: Array
    search: Search
    at: Potentials  # where the move began
    ratio: Array  # (pairs,) ln(tau/t_acc) there
    regulated: Array  # (pairs,) has burned, and has not been slow since with plenty of both parents
    # memory of burns
    partner: Label
    partner_net: Net
    last_channel: Label
    last_fusion: Label
    walk: Walk
    account: Account


def no_label() -> Label:
    """The name of no reaction."""
    return Label(*(jnp.array(-1) for _ in range(3)))


def is_same(a: Label, b: Label) -> Array:
    """Whether two names are of one reaction."""
    return (a.first == b.first) & (a.second == b.second) & (a.channel == b.channel)


def initial_slide(member: Member, network: Network, settings: Settings, with_ways: bool) -> SlideState:
    """The ash at the lowest pressure of the grid, with nothing burned yet; with_ways: packets remember their deeds."""
    slots = member.Y.shape[0]
    P, zero, count, no = network.pressures[0], jnp.array(0.0), jnp.array(0), jnp.array(False)
    sums = sums_of(member.nuclide, member.Y, zero)
    guess = eos.cold_density_guess(P, sums.Y_e)
    n_b = eos.density_at_pressure(P, sums.mixture, settings.matter, guess, 15)
    dE = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[0])(member.nuclide).T
    on_edge = jnp.any(network.edge[member.model, member.nuclide] & (member.Y > 0))
    net, walk = zero_net(slots), resting_walk(member.nuclide[0], slots, with_ways)
    return SlideState(
        stock=Stock(nuclide=member.nuclide, Y=member.Y, dE=dE, Y_n=zero),
        P=P,
        moving=no,
        P_trial=P,
        x=jnp.log(n_b),
        d=zero,
        net=net,
        slider=no_label(),
        slides=no,
        root=no,
        ratio_of_partner=zero,
        amount_kind=jnp.array(int(Amount.NONE)),
        limit=count,
        rounds=count,
        search=new_search(P, walk.way),
        at=potentials_of(n_b, sums, settings.matter),
        ratio=jnp.full(slots * (slots + 1) // 2, jnp.inf),
        regulated=jnp.zeros(slots * (slots + 1) // 2, bool),
        partner=no_label(),
        partner_net=net,
        last_channel=no_label(),
        last_fusion=no_label(),
        walk=walk,
        account=new_account(member.Y, on_edge),
    )
