"""The packet-and-slide engine: the limit of the threshold-search stepper for chunks that go to zero.

While a reaction is marginal the crust slides along it: pressure rises by a bounded step, and as much of the reaction's
net (`packet`) goes as keeps it marginal (`marginal`). A move ends early where something else becomes possible. That
then burns at constant pressure, by class, until it is marginal in turn or used up; two marginal reactions that oppose
each other burn together in the ratio that leaves mu_e and mu_n as they are.

`slide_step` is uniform, so that lanes of a batch never wait for each other's branch. It looks at a trial: the present
state after d of the present net, at a trial pressure. The trial is improved (not solved yet, or beyond a threshold),
or packets are followed there, or it is accepted and the next trial is prepared.

Everything is per baryon and for a single member; `jax.vmap` gives the batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gpucrust import eos
from gpucrust.candidates import Fusions, burn_conditions, fusions_of, ln_burn_time
from gpucrust.marginal import SOLVED_H, SOLVED_P, Solution, Trigger, solve
from gpucrust.minimum import first_minimum
from gpucrust.network import N_STRIDE, Network, channel_row, fusion_product, nuclide_energy, nuclide_Z
from gpucrust.packet import (
    FUSION_THRESHOLD,
    LOOPS,
    NOTHING,
    Net,
    Surroundings,
    Walk,
    add,
    best_captor,
    choose,
    enough_neutrons,
    feed,
    start_walk,
    whole_net,
    zero_net,
)
from gpucrust.packet import step as walk_step
from gpucrust.potentials import Z53, Potentials, Sums, channel_affinities, potentials_of, sums_of
from gpucrust.pycno import PairConstants
from gpucrust.reactions import (
    CHANNEL_CLASS,
    CHANNEL_DZ,
    CHANNEL_K,
    CHANNELS,
    FAST_FUSION,
    SLOW_FUSION,
    THRESHOLD,
)
from gpucrust.status import Status
from gpucrust.stepper import (
    GUARD,
    MAX_SEGMENTS,
    NOWHERE,
    RECORDED,
    RUNNING,
    SEGMENT,
    TRACED,
    Y_DROPPED,
    Y_REACTS,
    Member,
    Output,
    Settings,
)

DEEP, AIM = -1e-4, -4e-5
"""MeV: a move that ends with another affinity below DEEP has gone too far, and is aimed at AIM."""
FUSION_DEEP, FUSION_AIM = -3e-3, -1.8e-3
"""The same for ln(tau/t_acc)."""
MARGINAL, FUSION_MARGINAL = 2e-4, 4e-3
LANDED = 1e-9
"""In ln P; no move is shortened further."""
SHORTEST = 0.05
"""Of the longest move: one that is shorter is not shortened again because its net changes."""
BITE = 0.05
"""MeV: change of mu_e and mu_n in one burn, at most."""
WALK_STEPS = 4
"""Of a packet, in one step of the engine."""
MAX_ROUNDS = 60
"""Of improving one trial."""


NOTHING_GOES, TO_MARGIN, TO_THE_END, IN_PART = range(4)
"""What decides the amount of a step: no reaction, a marginal trigger, a stock used up, the bound of BITE."""
SAME_P, GIVEN_P, AT_THRESHOLD, AT_THE_END = range(4)
"""What decides its pressure: none changes; it is given; another reaction becomes possible; the stock is used up."""
STEP_ARRAYS = ("nuclide", "Y", "net", "net2")
STEP_SCALARS = (
    "net_Y_n", "net2_Y_n", "ratio", "first", "second", "channel", "amount_kind", "limit",
    "pressure_kind", "event_first", "event_second", "event_channel", "P", "n_b", "Y_n", "d", "heat", "grid_index",
)
"""Of the record of a step: (slots,) each of STEP_ARRAYS, then the scalars. Y, P, n_b, Y_n, heat are those after it, in
MeV and fm. The net is that of the trigger (first, second, channel) plus ratio times net2, of its partner. `limit`: the
slot that is used up, -1 for neutrons; event: the reaction at whose threshold the step ends; grid_index: of the pressure
recorded after it, else -1."""


class Label(NamedTuple):
    """A reaction by name: codes of the parents (equal but for fusions) and channel; -1 for none."""

    first: Array
    second: Array
    channel: Array


class SlideState(NamedTuple):
    """A member on its way; a pytree of arrays. The trial is `d` of `net` from here, at P_trial."""

    nuclide: Array  # (slots,) codes
    Y: Array  # (slots,)
    dE: Array  # (12, slots)
    Y_n: Array
    P: Array  # MeV fm^-3
    heat: Array
    mismatch: Array
    switched: Array
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
    aimed: Array  # the pressure is where a threshold is expected
    n_records: Array
    rounds: Array
    shortened: Array
    at: Potentials  # where the move began
    ratio: Array  # (pairs,) ln(tau/t_acc) there
    # memory of burns
    partner: Label
    partner_net: Net
    last_channel: Label
    last_fusion: Label
    walk: Walk
    # account
    grid_index: Array
    n_steps: Array
    n_reactions: Array
    max_active: Array
    status: Array
    segment_index: Array
    segment: Array


def _no_label() -> Label:
    return Label(*(jnp.array(-1) for _ in range(3)))


def _is(a: Label, b: Label) -> Array:
    return (a.first == b.first) & (a.second == b.second) & (a.channel == b.channel)


def _pick(first: Array, a: NamedTuple, b: NamedTuple):  # noqa: ANN202
    return jax.tree.map(lambda x, y: jnp.where(first, x, y), a, b)


def initial_slide(member: Member, network: Network, settings: Settings) -> SlideState:
    """The ash at the lowest pressure of the grid, with nothing burned yet."""
    slots = member.Y.shape[0]
    P, zero, count, no = network.pressures[0], jnp.array(0.0), jnp.array(0), jnp.array(False)
    sums = sums_of(member.nuclide, member.Y, zero)
    guess = eos.cold_density_guess(P, sums.Y_e)
    n_b = eos.density_at_pressure(P, sums.mixture, settings.matter, guess, 15)
    dE = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[0])(member.nuclide).T
    on_edge = jnp.any(network.edge[member.model, member.nuclide] & (member.Y > 0))
    net = zero_net(slots)
    walk = Walk(
        on=no,
        code=member.nuclide[0],
        weight=zero,
        net=net,
        own_class=zero,
        own_order=zero,
        start=member.nuclide[0],
        steps=count,
        off_chart=no,
        visited=jnp.zeros(LOOPS, member.nuclide.dtype),
        lap_code=jnp.zeros((), member.nuclide.dtype),
        lap_weight=zero,
        before_lap=net,
        fed=no,
        held=net,
        held_code=member.nuclide[0],
        held_weight=zero,
    )
    return SlideState(
        nuclide=member.nuclide,
        Y=member.Y,
        dE=dE,
        Y_n=zero,
        P=P,
        heat=zero,
        mismatch=zero,
        switched=no,
        moving=no,
        P_trial=P,
        x=jnp.log(n_b),
        d=zero,
        net=net,
        slider=_no_label(),
        slides=no,
        root=no,
        ratio_of_partner=zero,
        amount_kind=jnp.array(NOTHING_GOES),
        limit=count,
        aimed=no,
        n_records=count,
        rounds=count,
        shortened=count,
        at=potentials_of(n_b, sums, settings.matter),
        ratio=jnp.full(slots * (slots + 1) // 2, jnp.inf),
        partner=_no_label(),
        partner_net=net,
        last_channel=_no_label(),
        last_fusion=_no_label(),
        walk=walk,
        grid_index=count,
        n_steps=count,
        n_reactions=count,
        max_active=jnp.sum(member.Y > 0),
        status=jnp.where(on_edge, int(Status.CHART_EDGE), RUNNING),
        segment_index=jnp.array(-1),
        segment=jnp.zeros(len(SEGMENT)),
    )


class View(NamedTuple):
    """All that is seen at a trial."""

    Y: Array
    sums: Sums
    n_b: Array
    at: Potentials
    g: Array  # (12, slots)
    open: Array  # (12, slots) channels that are allowed
    fusions: Fusions | None
    ratio: Array  # (pairs,) ln(tau/t_acc); inf where impossible
    here: Surroundings


def look(state: SlideState, member: Member, network: Network, settings: Settings) -> View:
    """Affinities and burn times at the trial."""
    matter = settings.matter
    Y = state.Y + state.d * state.net.Y
    Y = jnp.where(Y > Y_DROPPED, Y, 0.0)
    Y_n = jnp.maximum(state.Y_n + state.d * state.net.Y_n, 0.0)
    sums, n_b = sums_of(state.nuclide, Y, Y_n), jnp.exp(state.x)
    at = potentials_of(n_b, sums, matter)
    g = channel_affinities(state.dE, nuclide_Z(state.nuclide), at)
    ln_t_acc = jnp.log(state.P_trial / member.g_mdot)
    here = Surroundings(
        nuclide=state.nuclide,
        Y=Y,
        dE=state.dE,
        Y_n=Y_n,
        mixture=sums.mixture,
        n_b=n_b,
        at=at,
        ln_t_acc=ln_t_acc,
        ln_t_weak=jnp.log(settings.t_weak),
        model=member.model,
        errors=member.errors,
        ln_rate_scale=member.ln_rate_scale,
        chunk=member.chunk,
        one_table=state.switched,
    )
    open_ = (g < THRESHOLD) & (Y > Y_REACTS) & enough_neutrons(here)[:, None]
    fusions, ratio = None, jnp.full(state.ratio.shape, jnp.inf)
    if network.pairs is not None:
        fusions = fusions_of(state.nuclide, Y, member.ln_rate_scale, network)
        ln_tau = ln_burn_time(fusions, burn_conditions(n_b, sums.mixture, sums.Y), n_b)
        ratio = jnp.where(fusions.possible, ln_tau - ln_t_acc, jnp.inf)
    return View(Y, sums, n_b, at, g, open_, fusions, ratio, here)


def product_of(pair: Array, view: View, network: Network) -> tuple[Array, Array, Array]:
    """What the nuclei of a pair fuse to at the trial: code, neutrons set free, energy released in MeV."""
    assert view.fusions is not None
    here = view.here
    slots = jnp.stack([jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]])
    parents = here.nuclide[slots]
    Z, N = nuclide_Z(parents), parents % N_STRIDE
    kept, E = fusion_product(jnp.sum(Z), jnp.sum(N), here.at.mu_n, here.model, network, here.errors)
    z53 = jnp.asarray(Z53)
    lattice = here.at.ell * (jnp.sum(z53[Z]) - z53[jnp.minimum(jnp.sum(Z), Z53.size - 1)])
    energy = jnp.sum(nuclide_energy(parents, here.model, network, here.errors)) - E + lattice
    return jnp.sum(Z) * N_STRIDE + kept, jnp.sum(N) - kept, energy


class Choice(NamedTuple):
    """A reaction chosen at the trial: slots, channel, and the fusion's product."""

    found: Array
    first: Array
    second: Array
    channel: Array
    product: tuple[Array, Array, Array]

    def label(self, nuclide: Array) -> Label:
        """Its name."""
        return Label(nuclide[self.first], nuclide[self.second], self.channel)


def most_urgent(view: View, network: Network) -> Choice:
    """What happens first of all that is allowed: lowest class, then most negative affinity or shortest burn time."""
    slots = view.Y.shape[0]
    classes = jnp.asarray(CHANNEL_CLASS)[:, None]
    lowest = jnp.min(jnp.where(view.open, classes, jnp.inf))
    flat, _ = first_minimum(jnp.where(view.open & (classes == lowest), view.g, jnp.inf))
    channel, first = flat // slots, flat % slots
    nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
    if view.fusions is None:
        return Choice(jnp.isfinite(lowest), first, first, channel, nothing)

    # nearly always the fastest pair releases energy; one that does not is passed over
    def goes_on(carry: tuple) -> Array:
        return jnp.any(carry[0]) & (carry[-1] <= 0)

    def try_next(carry: tuple) -> tuple:
        pair, _ = first_minimum(jnp.where(carry[0], view.ratio, jnp.inf))
        return carry[0] & (jnp.arange(carry[0].shape[0]) != pair), pair, *product_of(pair, view, network)

    burning = view.ratio < FUSION_THRESHOLD
    _, pair, *product = jax.lax.while_loop(goes_on, try_next, (burning, jnp.array(0), *nothing))
    fast = view.ratio[pair] + view.here.ln_t_acc < view.here.ln_t_weak
    fusion_class = jnp.where(product[2] > 0, jnp.where(fast, FAST_FUSION, SLOW_FUSION), jnp.inf)
    fuses = fusion_class < lowest
    i, j = jnp.asarray(view.fusions.first)[pair], jnp.asarray(view.fusions.second)[pair]
    return Choice(
        found=jnp.isfinite(lowest) | fuses,
        first=jnp.where(fuses, i, first),
        second=jnp.where(fuses, j, first),
        channel=jnp.where(fuses, CHANNELS, channel),
        product=tuple(product),
    )


def find(label: Label, view: View) -> tuple[Array, Array, Array]:
    """Slots of a reaction's parents, and whether both are there."""
    there = view.Y > Y_REACTS
    first, second = (there & (view.here.nuclide == code) for code in (label.first, label.second))
    return jnp.argmax(first), jnp.argmax(second), jnp.any(first) & jnp.any(second) & (label.channel >= 0)


def pair_index(first: Array, second: Array, slots: int) -> Array:
    """Index of a pair of slots among all pairs i <= j in the order of `numpy.triu_indices`."""
    i, j = jnp.minimum(first, second), jnp.maximum(first, second)
    return i * slots - i * (i - 1) // 2 + j - i


def next_slider(state: SlideState, view: View, network: Network) -> Choice:
    """The reaction that is marginal at the trial: the channel that burned last or its partner, else the last fusion."""
    slots = view.Y.shape[0]

    def marginal_channel(label: Label) -> tuple[Array, Array]:
        i, _, there = find(label, view)
        c = jnp.clip(label.channel, 0, CHANNELS - 1)
        return i, there & (label.channel < CHANNELS) & (jnp.abs(view.g[c, i]) < MARGINAL)

    (i, last), (j, other) = marginal_channel(state.last_channel), marginal_channel(state.partner)
    slot = jnp.where(last, i, j)
    channel = jnp.where(last, state.last_channel.channel, state.partner.channel)
    nothing = (jnp.array(0), jnp.array(0), jnp.array(0.0))
    if view.fusions is None:
        return Choice(last | other, slot, slot, channel, nothing)
    m, n, there = find(state.last_fusion, view)
    pair = pair_index(m, n, slots)
    product = product_of(pair, view, network)
    fusion = there & (jnp.abs(view.ratio[pair]) < FUSION_MARGINAL) & (product[2] > 0)
    return Choice(
        found=last | other | fusion,
        first=jnp.where(last | other, slot, m),
        second=jnp.where(last | other, slot, n),
        channel=jnp.where(last | other, channel, CHANNELS),
        product=product,
    )


def crossing(state: SlideState, view: View) -> tuple[Array, Array]:
    """Whether the move has gone beyond a threshold, and the pressure at which the first such one is expected."""
    channel = jnp.arange(CHANNELS)[:, None]
    own = state.slides & (state.nuclide == state.slider.first) & (channel == state.slider.channel)
    g_before = channel_affinities(state.dE, nuclide_Z(state.nuclide), state.at)
    # nuclides that were not there yet burn at the end of the move
    beyond = view.open & (view.g < DEEP) & ~own & (g_before >= THRESHOLD) & (state.Y > Y_REACTS)
    part = jnp.where(beyond, (g_before - AIM) / (g_before - view.g), jnp.inf).ravel()
    if view.fusions is not None:
        f = view.fusions
        first, second = state.nuclide[jnp.asarray(f.first)], state.nuclide[jnp.asarray(f.second)]
        sliding_fusion = state.slides & (state.slider.channel == CHANNELS)
        own = sliding_fusion & (first == state.slider.first) & (second == state.slider.second)
        own = own | (sliding_fusion & (first == state.slider.second) & (second == state.slider.first))
        held = state.slides & ~sliding_fusion & (state.ratio < FUSION_MARGINAL)
        there = jnp.isfinite(state.ratio) & (state.ratio >= FUSION_THRESHOLD)
        beyond = (view.ratio < FUSION_DEEP) & ~own & ~held & there
        before = jnp.where(there, state.ratio, 0.0)
        part = jnp.append(part, jnp.where(beyond, (before - FUSION_AIM) / (before - view.ratio), jnp.inf))
    nearest = jnp.min(part)
    long_enough = jnp.log(state.P_trial / state.P) > LANDED
    P = state.P * (state.P_trial / state.P) ** jnp.clip(nearest, 0.02, 0.98)
    return state.moving & jnp.isfinite(nearest) & long_enough, P


def settle(
    state: SlideState, walk: Walk, view: View, member: Member, network: Network
) -> tuple[Array, Array, Net, Array]:
    """Room for what a finished packet has made: (nuclide, dE, its whole net, whether there was no room)."""
    slot = jnp.arange(view.Y.shape[0])
    nuclide, dE = state.nuclide, state.dE
    net, packet, captor = whole_net(walk)
    in_use = (view.Y > 0) | (net.Y != 0) | (state.net.Y != 0) | (state.partner_net.Y != 0)
    full = jnp.array(False)

    def place(code: Array, amount: Array, carry: tuple) -> tuple:
        nuclide, dE, net_Y, in_use, full = carry
        known = nuclide == code
        home = jnp.where(jnp.any(known), jnp.argmax(known), jnp.argmin(in_use))
        here_now = (slot == home) & (amount > 0)
        full = full | ((amount > 0) & jnp.all(in_use) & ~jnp.any(known))
        row, mixed = channel_row(code, member.model, network, member.errors)
        row = jnp.where(state.switched, mixed, row)
        dE = jnp.where(here_now & ~jnp.any(known), row[:, None], dE)
        return jnp.where(here_now, code, nuclide), dE, net_Y + amount * here_now, in_use | here_now, full

    carry = place(*packet, (nuclide, dE, net.Y, in_use, full))
    nuclide, dE, net_Y, _, full = place(*captor, carry)
    return nuclide, dE, net._replace(Y=net_Y), full


def change_of(nuclide: Array, net: Net) -> Sums:
    """Change of the sums by a unit of a net."""
    return sums_of(nuclide, net.Y, net.Y_n)


def stock_of(Y: Array, Y_n: Array, net: Net) -> tuple[Array, Array]:
    """The amount of a net that uses up a nuclide or the free neutrons, and its slot (-1: neutrons)."""
    used, used_n = net.Y < 0, net.Y_n < 0
    by_nuclide = jnp.where(used, Y / -jnp.where(used, net.Y, -1.0), jnp.inf)
    by_neutrons = jnp.where(used_n, Y_n / -jnp.where(used_n, net.Y_n, -1.0), jnp.inf)
    slot, least = first_minimum(by_nuclide)
    return jnp.minimum(least, by_neutrons), jnp.where(by_neutrons < least, -1, slot)


def torque(change: Sums, sums: Sums) -> Array:
    """Push of a net along the one degree of freedom that constant pressure leaves."""
    return change.Y_e * sums.Y_n - change.Y_n * sums.Y_e


def trigger_of(
    choice: Choice, nuclide: Array, dE: Array, Y: Array, net: Net, member: Member, network: Network
) -> Trigger:
    """What the solver must know of a reaction."""
    c = jnp.clip(choice.channel, 0, CHANNELS - 1)
    dZ, k, z53 = jnp.asarray(CHANNEL_DZ)[c], jnp.asarray(CHANNEL_K)[c], jnp.asarray(Z53)
    Z = nuclide_Z(nuclide[choice.first])
    parents = jnp.stack([choice.first, choice.second])
    zero = jnp.array(0.0)
    pair, ln_offset = PairConstants(zero, zero, zero), zero
    if network.pairs is not None:
        i, j = fusion_index_of(nuclide[parents])
        pair = PairConstants(*network.pairs[i, j])
        ln_offset = jnp.where(choice.first == choice.second, jnp.log(0.5), 0.0) - member.ln_rate_scale
    return Trigger(
        fusion=choice.channel == CHANNELS,
        dE=dE[c, choice.first],
        dZ=dZ,
        k=k,
        dz53=z53[jnp.maximum(Z + dZ, 0)] - z53[Z],
        pair=pair,
        ln_offset=ln_offset,
        Y=Y[parents],
        net_Y=net.Y[parents],
        ln_g_mdot=jnp.log(member.g_mdot),
    )


def fusion_index_of(codes: Array) -> Array:
    """Rows of nuclides in the pair table."""
    from gpucrust.network import fusion_index

    return fusion_index(codes)[0]


def bitten(solution: Solution, x: Array, start: Sums, change: Sums, at: Potentials, matter: eos.Matter) -> Array:
    """The amount of a solution, made smaller until mu_e and mu_n change by no more than BITE; x: ln n_b at the start.

    Between the start and the solution ln n_b is taken to be linear in the amount.
    """
    part = jnp.ones_like(x)
    for _ in range(3):
        then = potentials_of(jnp.exp(x + part * (solution.x - x)), start.plus(change, part * solution.d), matter)
        moved = jnp.maximum(jnp.abs(then.mu_e - at.mu_e), jnp.abs(then.mu_n - at.mu_n))
        part = jnp.where(moved > BITE, part * jnp.clip(0.8 * BITE / moved, 0.05, 1.0), part)
    return part


def slide_step(
    state: SlideState, member: Member, network: Network, settings: Settings, step: float
) -> tuple[SlideState, Output]:
    """One look at the trial and what follows from it (module docstring); step: of moves, in ln P."""
    matter, slots = settings.matter, state.Y.shape[0]
    view = look(state, member, network, settings)
    grid = network.pressures

    # is the trial a solution, and not beyond a threshold?
    error_P = jnp.abs(jnp.log(eos.pressure(view.n_b, view.sums.mixture, matter) / state.P_trial))
    slider_c = jnp.clip(state.slider.channel, 0, CHANNELS - 1)
    own = jnp.argmax(state.nuclide == state.slider.first)
    own_second = jnp.argmax(state.nuclide == state.slider.second)
    sliding_fusion = state.slider.channel == CHANNELS
    h = jnp.where(sliding_fusion, view.ratio[pair_index(own, own_second, slots)], view.g[slider_c, own])
    # (a fusion whose parents have been used up has no burn time)
    solved = (error_P < SOLVED_P) & (~state.root | (jnp.abs(h) < SOLVED_H) | jnp.isinf(h))
    beyond, P_back = crossing(state, view)
    accepted = solved & ~beyond

    # what goes on there
    urgent = most_urgent(view, network)
    following = next_slider(state, view, network)
    landed = accepted & state.moving & urgent.found
    quiet = accepted & state.moving & ~urgent.found
    burns = accepted & ~state.moving & urgent.found
    rests = accepted & ~state.moving & ~urgent.found
    i, j, there = find(state.slider, view)
    slider = Choice(there & state.slides & ~sliding_fusion, i, j, state.slider.channel, following.product)
    # where a move ends at a threshold its slider is looked at again: the two may oppose each other
    choice = _pick(burns, urgent, _pick(landed, slider, following))
    label = choice.label(state.nuclide)
    label = _pick(choice.found, label, _no_label())
    walks = choice.found & accepted

    # follow its packet
    c = jnp.clip(choice.channel, 0, CHANNELS - 1)
    fresh = start_walk(
        choice.first, choice.second, choice.channel, view.g[c, choice.first], choice.product, view.here
    )
    walk = _pick(state.walk.on, state.walk, fresh)
    g_captor = best_captor(view.g, view.here)[2]
    walk = jax.lax.fori_loop(0, WALK_STEPS, lambda _, w: walk_step(w, g_captor, view.here, network), walk)
    walk = feed(walk, view.g, view.here)
    walking = walks & walk.on
    nuclide, dE, net, full = settle(state, walk, view, member, network)
    arrived = walks & ~walking
    nuclide, dE = jnp.where(arrived, nuclide, state.nuclide), jnp.where(arrived, dE, state.dE)
    net = choose(arrived, net, zero_net(slots))
    full = full & arrived

    # a move along which the net has changed is tried shorter, twice
    change = change_of(nuclide, net)
    old_change = change_of(nuclide, state.net)
    differs = jnp.abs(change.Y_e - old_change.Y_e) + jnp.abs(change.Y_n - old_change.Y_n) > NOTHING
    long = jnp.log(state.P_trial / state.P) > SHORTEST * step
    again = quiet & state.slides & _is(label, state.slider) & ~walking & differs & (state.shortened < 2) & long
    goes = ~walking & ~again
    commits = goes & accepted
    # a packet that comes back to where it began: masses of several tables release energy around a loop for ever
    endless = arrived & goes & ~landed & ~jnp.any(net.Y < -NOTHING)
    starts = goes & (rests | quiet) & ~endless
    burn = goes & burns & ~endless
    stays = (landed & goes) | endless
    renews = landed & arrived & goes

    # what the move or burn has released, at the mean of the potentials
    before, at = state.at, view.at
    released = state.net.heat - (
        old_change.Y_e * (at.mu_e - before.mu_e) + old_change.Y_n * (at.mu_n - before.mu_n)
        + old_change.Y_z53 * (at.ell - before.ell)
    ) / 2
    moved = jnp.where(commits, state.d, 0.0)
    heat = state.heat + moved * released
    mismatch = state.mismatch + moved * state.net.mismatch

    # prepare the next trial: of a burn, of a move that begins, or of this one
    begin_Y = jnp.where(commits, view.Y, state.Y)
    begin_Y_n = jnp.where(commits, view.here.Y_n, state.Y_n)
    begin_P = jnp.where(commits, state.P_trial, state.P)
    sums = sums_of(nuclide, begin_Y, begin_Y_n)

    *_, partner_there = find(state.partner, view)
    partner_change = change_of(nuclide, state.partner_net)
    T, T_partner = torque(change, view.sums), torque(partner_change, view.sums)
    both_channels = (state.partner.channel >= 0) & (state.partner.channel < CHANNELS) & (label.channel < CHANNELS)
    opposed = burn & partner_there & both_channels & ~_is(state.partner, label) & (T * T_partner < 0)
    pair_ratio = jnp.where(opposed, -T / jnp.where(opposed, T_partner, 1.0), 0.0)
    combined = add(net, state.partner_net, pair_ratio)
    opposed = opposed & jnp.any(combined.Y < -NOTHING)  # not a reaction and its reverse
    combined = choose(opposed, combined, net)

    reached = starts & (begin_P == grid[state.grid_index])
    grid_index = state.grid_index + reached
    ended = grid_index == grid.shape[0]
    P_grid = grid[jnp.minimum(grid_index, grid.shape[0] - 1)]
    P_far = begin_P * jnp.exp(step)
    P_next = jnp.where(P_grid <= P_far * (1 + 1e-12), P_grid, P_far)
    P_short = state.P * (state.P_trial / state.P) ** 0.25
    P_retry = jnp.where(beyond & solved, P_back, jnp.where(again, P_short, state.P_trial))
    P_goal = jnp.where(burn, begin_P, jnp.where(starts, P_next, P_retry))

    push = jnp.asarray(CHANNEL_DZ)[c] * view.sums.Y_n - jnp.asarray(CHANNEL_K)[c] * view.sums.Y_e
    runs_away = (choice.channel < CHANNELS) & (push * T < 0)
    new = burn | starts
    next_net = choose(new, choose(burn, combined, net), state.net)
    slides = jnp.where(new, arrived & (burn | ~runs_away), state.slides)
    next_label = _pick(new, _pick(slides, label, _no_label()), state.slider)
    moving = jnp.where(new, starts, state.moving)
    next_change = change_of(nuclide, next_net)
    # a burn that is cut short, or a whole stock, keeps its amount; only the density is improved
    kept = ~new & ~state.moving & ~state.root
    stock, limit = stock_of(begin_Y, begin_Y_n, next_net)
    d_max = jnp.where(kept, state.d, stock)
    small = (choice.channel == CHANNELS) & (d_max <= member.chunk)
    whole = (burn & (opposed | small)) | kept
    old_choice = Choice(state.slides, own, own_second, state.slider.channel, choice.product)
    target = _pick(new, choice, old_choice)
    trigger = trigger_of(target, nuclide, dE, begin_Y, next_net, member, network)
    scale = jnp.log(P_goal / state.P) / jnp.log(state.P_trial / state.P)
    same = ~new | (_is(next_label, state.slider) & state.moving)
    d_guess = jnp.where(new & ~same, 0.01 * d_max, jnp.where(beyond & solved | again, state.d * scale, state.d))
    solution = solve(
        P_goal, state.x, jnp.minimum(d_guess, d_max), slides, moving, whole, d_max, trigger, sums, next_change, matter
    )
    part = bitten(solution, state.x, sums, next_change, at, matter)
    cut = burn & ~opposed & (part < 1)
    d = jnp.where(cut, part * solution.d, solution.d)
    x = jnp.where(cut, state.x + part * (solution.x - state.x), solution.x)

    root = solution.root & ~cut
    used_up = (d >= d_max) & (d > 0)
    amount_kind = jnp.where(d > 0, jnp.where(cut, IN_PART, jnp.where(used_up, TO_THE_END, TO_MARGIN)), NOTHING_GOES)
    amount_kind = jnp.where(kept, state.amount_kind, amount_kind)
    marginal = burn & root & (d < d_max)
    switched = state.switched
    if network.dE_mixed is not None:
        mismatch = jnp.where(endless, jnp.maximum(mismatch, 1.01 * GUARD * jnp.sum(member.Y)), mismatch)
        switched = switched | (mismatch > GUARD * jnp.sum(member.Y))
        turned = switched & ~state.switched
        rows = jax.vmap(lambda code: channel_row(code, member.model, network, member.errors)[1])(nuclide).T
        dE = jnp.where(turned, rows, dE)

    waits = walking | stays
    n_steps = state.n_steps + 1
    rounds = jnp.where(accepted, jnp.where(walking, state.rounds, 0), state.rounds + 1)
    status = jnp.where(full, int(Status.SLOT_OVERFLOW), state.status)
    status = jnp.where(new & arrived & walk.off_chart, int(Status.CHART_EDGE), status)
    stuck = endless & (switched == state.switched)
    failed = stuck | (rounds > MAX_ROUNDS) | (burn & ~(d > 0)) | (~waits & ~jnp.isfinite(x + d))
    status = jnp.where((status == RUNNING) & failed, int(Status.NO_CONVERGENCE), status)
    status = jnp.where(ended & (status == RUNNING), int(Status.OK), status)
    status = jnp.where((status == RUNNING) & (n_steps >= settings.max_steps), int(Status.STEP_LIMIT), status)

    # segments: stretches along one slider, or along none
    mu_e = eos.electron_chemical_potential(view.n_b * view.sums.Y_e)
    row = jnp.stack([jnp.asarray(v, float) for v in (*next_label, jnp.asarray(CHANNEL_K)[c])])
    row = jnp.where(slides, row, -1.0)
    first_codes = row.at[3].set(jnp.where(next_label.channel == CHANNELS, 0.0, row[3]))
    seg = state.segment
    here_row = jnp.concatenate([seg[:2], jnp.stack([state.P_trial, mu_e, mu_e]), seg[5:]])
    seg = jnp.where(commits & state.moving, here_row, seg)
    seg = seg.at[SEGMENT.index("mu_e_after")].set(jnp.where(starts, mu_e, seg[4]))
    begins = starts & ((state.segment_index < 0) | jnp.any(first_codes != seg[5:]))
    closed = jnp.where(starts | commits, state.segment_index, NOWHERE)
    fresh_seg = jnp.concatenate([jnp.stack([begin_P, mu_e, begin_P, mu_e, mu_e]), first_codes])
    segment_index = state.segment_index + begins
    status = jnp.where((status == RUNNING) & (segment_index >= MAX_SEGMENTS), int(Status.SEGMENT_OVERFLOW), status)

    recorded = [view.n_b, view.sums.Y_e, view.sums.Y_n, view.sums.Y_z53, view.sums.Y]
    recorded += [jnp.sum(nuclide_Z(nuclide) ** 2 * view.Y), heat, segment_index, state.P_trial, mu_e]
    assert len(recorded) == len(RECORDED)
    output = Output(
        line=jnp.where(reached, state.grid_index, NOWHERE),
        row=jnp.stack([jnp.asarray(v, float) for v in recorded]),
        segment_line=jnp.where(closed < 0, NOWHERE, closed),
        segment_row=seg,
        trace_line=jnp.where(burn, state.n_reactions, NOWHERE),
        trace_row=jnp.stack([jnp.asarray(v, float) for v in (*label, next_net.Y_n, d, begin_P, d_max)]),
    )

    recorded_step = commits & ((state.d > 0) | (state.P_trial > state.P) | reached)
    pressure_kind = jnp.where(state.amount_kind == TO_THE_END, AT_THE_END, jnp.where(landed & state.aimed, 2, GIVEN_P))
    event = urgent.label(state.nuclide)
    scalars = [state.net.Y_n, state.partner_net.Y_n, state.ratio_of_partner, *state.slider, state.amount_kind]
    scalars += [state.limit, jnp.where(state.moving, pressure_kind, SAME_P), *event, state.P_trial, view.n_b]
    scalars += [view.here.Y_n, state.d, heat, jnp.where(reached, state.grid_index, -1)]
    assert len(scalars) == len(STEP_SCALARS)
    paired = jnp.where(state.ratio_of_partner > 0, state.partner_net.Y, 0.0)
    arrays = [state.nuclide.astype(float), view.Y, state.net.Y, paired]
    output = output._replace(
        record_line=jnp.where(recorded_step, state.n_records, NOWHERE),
        record_row=jnp.concatenate([*arrays, jnp.stack([jnp.asarray(v, float) for v in scalars])]),
    )

    return SlideState(
        nuclide=nuclide,
        Y=begin_Y,
        dE=dE,
        Y_n=begin_Y_n,
        P=begin_P,
        heat=heat,
        mismatch=mismatch,
        switched=switched,
        moving=moving & ~stays,
        P_trial=jnp.where(waits, state.P_trial, solution.P),
        x=jnp.where(waits, state.x, x),
        d=jnp.where(stays, 0.0, jnp.where(walking, state.d, d)),
        net=choose(stays, zero_net(slots), choose(walking, state.net, next_net)),
        slider=next_label,
        slides=jnp.where(waits, state.slides & ~stays, slides),
        root=jnp.where(waits, state.root & ~stays, root),
        ratio_of_partner=jnp.where(new, jnp.where(opposed, pair_ratio, 0.0), state.ratio_of_partner),
        amount_kind=jnp.where(stays, NOTHING_GOES, jnp.where(walking, state.amount_kind, amount_kind)),
        limit=jnp.where(walking, state.limit, limit),
        aimed=jnp.where(new | stays, False, state.aimed | (beyond & solved)),
        n_records=state.n_records + recorded_step,
        rounds=rounds,
        shortened=jnp.where(starts, 0, state.shortened + again),
        at=_pick(new | stays, at, state.at),
        ratio=jnp.where(starts, view.ratio, state.ratio),
        partner=_pick(starts, next_label, _pick(burn & ~whole, _pick(marginal, label, _no_label()), state.partner)),
        partner_net=choose(starts | (burn & ~whole), next_net, choose(renews, net, state.partner_net)),
        last_channel=_pick((marginal | opposed) & (label.channel < CHANNELS), label, state.last_channel),
        last_fusion=_pick(burn & (label.channel == CHANNELS), label, state.last_fusion),
        walk=walk._replace(on=walking),
        grid_index=grid_index,
        n_steps=n_steps,
        n_reactions=state.n_reactions + burn,
        max_active=jnp.maximum(state.max_active, jnp.sum(begin_Y > 0)),
        status=status,
        segment_index=segment_index,
        segment=jnp.where(begins, fresh_seg, seg),
    ), output
