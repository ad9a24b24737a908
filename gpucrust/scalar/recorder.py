"""The packet-and-slide code for one crust, keeping a record of every step (`gpucrust.record`); numbers, no JAX.

While a reaction is marginal the crust slides: pressure rises by a bounded step, and as much of the reaction's net goes
as keeps its affinity at zero. A step ends early where another reaction becomes possible, or where a
packet takes another way. At constant pressure what is possible burns, by class, until it is marginal in turn or used
up; two marginal reactions that oppose each other go together in the ratio that leaves mu_e and mu_n as they are.
"""

from math import exp, log, sqrt

import numpy as np

from gpucrust.constants import HBAR_C
from gpucrust.reactions import CHANNEL_CLASS as CLASS
from gpucrust.record import PRODUCT, Amount, Move
from gpucrust.scalar.packet import (
    ALLOWED,
    FUSION_ALLOWED,
    FUSION_MARGINAL,
    MARGINAL,
    NONE,
    Net,
    affinity,
    after,
    index_of,
    ln_tau_ratio,
    most_urgent,
    potentials,
    regulated_fusions,
    stock_of,
    together,
    torque,
    walk,
)
from gpucrust.scalar.physics import COLUMNS, DK, DZ, FUSION, Now, njit, solve_density

BITE = 0.05  # MeV: change of mu_e and mu_n in one burn
LANDED = 1e-9  # in ln P
MAX_BURNS = 1000
"""At one pressure."""
NO_AMOUNT, BY_MARGIN, USED_UP, SHARE = (int(x) for x in Amount)
BURN, GIVEN, EVENT, STOCK = (int(x) for x in Move)
NO_EVENT, OTHER_PRODUCT = (-1, -1, -1, -1), PRODUCT
AT_ONCE = 1e-6
"""In ln P: a packet that takes another way sooner than this changes back and forth."""
ABSENT = -2  # no stock limits  # no stock limits


@njit(cache=True)
def excess(trigger, now, net, d, P, n_b, rules):
    """Affinity, or ln(tau/t_acc), of the trigger after d of the net, at P: below 0 it goes on."""
    if trigger[2] == FUSION:
        then = after(now, net, d)
        i, j = index_of(then, trigger[0]), index_of(then, trigger[1])
        n_b = solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b)
        return ln_tau_ratio(i, j, n_b, then, rules) if i >= 0 and j >= 0 else np.inf
    then = Now(now.codes, now.Y, now.Y_e + d * net.Y_e, max(now.Y_n + d * net.Y_n, 0.0))
    n_b = solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b)
    mu_e, mu_n = potentials(n_b, then, rules)
    return affinity(trigger[0], trigger[2], mu_e, mu_n, then, rules)


@njit(cache=True)
def marginal_amount(trigger, now, net, d_max, P, n_b, rules):
    """The amount up to d_max after which the trigger is marginal at P."""
    if excess(trigger, now, net, 0.0, P, n_b, rules) >= 0:
        return 0.0
    if excess(trigger, now, net, d_max * (1 - 1e-12), P, n_b, rules) <= 0:
        return d_max
    low, high = 0.0, d_max
    for _ in range(80):
        middle = (low + high) / 2
        if excess(trigger, now, net, middle, P, n_b, rules) < 0:
            low = middle
        else:
            high = middle
    return high


@njit(cache=True)
def bite_of(now, net, d, P, n_b, rules):
    """The amount up to d that changes mu_e and mu_n by no more than BITE."""
    mu = potentials(n_b, now, rules)
    while True:
        then = Now(now.codes, now.Y, now.Y_e + d * net.Y_e, max(now.Y_n + d * net.Y_n, 0.0))
        mu_then = potentials(solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b), then, rules)
        change = max(abs(mu_then[0] - mu[0]), abs(mu_then[1] - mu[1]))
        if change <= BITE:
            return d
        d *= max(0.1, 0.8 * BITE / change)


@njit(cache=True)
def marginal(trigger, n_b, now, rules):
    i, j = index_of(now, trigger[0]), index_of(now, trigger[1])
    if i < 0 or j < 0:
        return False
    if trigger[2] == FUSION:
        return abs(ln_tau_ratio(i, j, n_b, now, rules)) < FUSION_MARGINAL
    mu_e, mu_n = potentials(n_b, now, rules)
    return abs(affinity(trigger[0], trigger[2], mu_e, mu_n, now, rules)) < MARGINAL


@njit(cache=True)
def limit_of(now, net):
    """Code of the stock that ends first, or -1 for the neutrons."""
    d, limit = (now.Y_n / -net.Y_n if net.Y_n < 0 else np.inf), -1
    for s in range(len(net.codes)):
        if net.Y[s] < 0:
            at = np.searchsorted(now.codes, net.codes[s])
            present = at < len(now.codes) and now.codes[at] == net.codes[s]
            own = now.Y[at] / -net.Y[s] if present else 0.0
            if own < d:
                d, limit = own, net.codes[s]
    return limit


@njit(cache=True)
def without(now, limit):
    """The state without a stock that has ended, which rounding may have left in it."""
    if limit == -1:
        return Now(now.codes, now.Y, now.Y_e, 0.0)
    stays = now.codes != limit
    codes, Y = now.codes[stays], now.Y[stays]
    return Now(codes, Y, np.sum(Y * (codes // COLUMNS)), now.Y_n)


@njit(cache=True)
def write(log_, what, reals, then, net, net2):
    """One line of the log: what (11,) and reals (5,) as below; nets and abundances by code."""
    integers, floats, codes, numbers, neutrons, n = log_
    s = n[0]
    integers[s], floats[s, :5] = what, reals
    for k in range(2):
        this = net if k == 0 else net2
        codes[s, k, : len(this.codes)], numbers[s, k, : len(this.codes)] = this.codes, this.Y
        neutrons[s, k] = this.Y_n
    codes[s, 2, : len(then.codes)], numbers[s, 2, : len(then.codes)] = then.codes, then.Y
    n[0] += 1


@njit(cache=True)
def released(net, d, before, then, n_before, n_then, rules):
    """Gibbs energy that d of the net sets free: at the mean of the potentials before and after."""
    mu, mu_then = potentials(n_before, before, rules), potentials(n_then, then, rules)
    G = net.Y_e * (mu[0] + mu_then[0]) / 2 + net.Y_n * (mu[1] + mu_then[1]) / 2
    for s in range(len(net.codes)):
        G += net.Y[s] * rules.mixed[net.codes[s] // COLUMNS, net.codes[s] % COLUMNS]
    return -d * G


@njit(cache=True)
def burn(P, n_b, now, partner, rules, log_, none):
    """Everything that is possible at P, to its end; `partner` is the reaction marginal so far.

    Returns the state, n_b, the last marginal channel and fusion (NONE if there was none), and whether it ended.
    """
    channel_trigger, fusion_trigger = NONE, NONE
    for _ in range(MAX_BURNS):
        i, j, channel = most_urgent(n_b, now, rules, NONE, np.zeros((0, 2), np.int64))
        if i < 0:
            return now, n_b, channel_trigger, fusion_trigger, True
        trigger = (now.codes[i], now.codes[j], channel)
        net, _ = walk(i, j, channel, n_b, now, rules)
        first, second = net, none
        opposed = False
        pi, pj = index_of(now, partner[0]), index_of(now, partner[1])
        if pi >= 0 and pj >= 0 and partner != trigger and partner[2] != FUSION and channel != FUSION:
            other, _ = walk(pi, pj, partner[2], n_b, now, rules)
            opposed = torque(net, now) * torque(other, now) < 0
            if opposed:
                second = other
                net = together(net, other, -torque(net, now) / torque(other, now))
        d_max = stock_of(now, net)
        limit = limit_of(now, net)
        d, amount = d_max, USED_UP
        if not opposed and not (channel == FUSION and d_max <= rules.chunk * rules.Y_start):
            root = marginal_amount(trigger, now, net, d_max, P, n_b, rules)
            d = bite_of(now, net, root, P, n_b, rules)
            partner = trigger if d == root and root < d_max else NONE
            amount = USED_UP if d == d_max else BY_MARGIN if d == root else SHARE
        if not d > 0:
            return now, n_b, channel_trigger, fusion_trigger, False
        before, n_before = now, n_b
        now = after(now, net, d)
        if amount == USED_UP:
            now = without(now, limit)
        n_b = solve_density(P, now.Y_e, now.Y_n, rules.neutron, n_b)
        heat = released(net, d, before, now, n_before, n_b, rules)
        what = np.array([trigger[0], trigger[1], trigger[2], -1, -1, -1, -1, amount, BURN, limit, -1])
        write(log_, what, np.array([P, n_b, now.Y_n, d, heat]), now, first, second)
        if channel == FUSION:
            fusion_trigger = trigger
        else:
            channel_trigger = trigger
    return now, n_b, channel_trigger, fusion_trigger, False


@njit(cache=True)
def lands(event, n_b, now, rules):
    """Whether the event lies at its threshold, rather than far behind it."""
    i, j = index_of(now, event[0]), index_of(now, event[1])
    if event[2] == FUSION:
        # of a packet's fusion the stock does not tell
        return i < 0 or j < 0 or abs(ln_tau_ratio(i, j, n_b, now, rules) - FUSION_ALLOWED) < 1e-5
    mu_e, mu_n = potentials(n_b, now, rules)
    if event[2] == OTHER_PRODUCT:
        E = [rules.mixed[code // COLUMNS, code % COLUMNS] for code in event[:2]]
        return abs(E[1] - E[0] + (event[0] - event[1]) * mu_n) < 1e-6
    g = affinity(event[0], event[2], mu_e, mu_n, now, rules)
    if event[3] >= 0:
        return abs(g - affinity(event[0], event[3], mu_e, mu_n, now, rules)) < 1e-6
    return min(abs(g - ALLOWED), abs(g)) < 1e-6


@njit(cache=True)
def parting(way, other, n_b, now, rules):
    """The event that makes a packet take the `other` way: (code, second code, channel, rival channel)."""
    for s in range(min(len(way), len(other))):
        code, a, b = way[s, 0], way[s, 1], other[s, 1]
        if code != other[s, 0]:  # a fusion sets free another number of neutrons
            return (max(code, other[s, 0]), min(code, other[s, 0]), OTHER_PRODUCT, -1)
        if a == b and way[s, 2] == other[s, 2]:
            continue
        if b == FUSION:
            return (code, other[s, 2], b, -1)
        if a == FUSION:
            return (code, way[s, 2], a, -1)
        if a < 0 or (b >= 0 and CLASS[b] < CLASS[a]):
            return (code, code, b, -1)
        if b < 0 or CLASS[a] < CLASS[b]:
            return (code, code, a, -1)
        mu_e, mu_n = potentials(n_b, now, rules)
        g_a, g_b = affinity(code, a, mu_e, mu_n, now, rules), affinity(code, b, mu_e, mu_n, now, rules)
        if abs(g_a - g_b) < 1e-6:
            return (code, code, b, a)
        return (code, code, b if abs(g_b - ALLOWED) < abs(g_a - ALLOWED) else a, -1)
    return NO_EVENT


@njit(cache=True)
def slid(P, n_b, now, slider, net, d_max, rules):
    """Amount, state and n_b after the slide to P; the slider NONE: at frozen composition."""
    slides = slider[2] >= 0
    d = marginal_amount(slider, now, net, d_max, P, n_b, rules) if slides else 0.0
    then = after(now, net, d) if slides else now
    return d, then, solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b)


@njit(cache=True)
def way_of(slider, n_b, now, rules):
    """The net and the way of the slider's packet at a state; an empty way where a parent is gone."""
    i, j = index_of(now, slider[0]), index_of(now, slider[1])
    if slider[2] < 0 or i < 0 or j < 0:
        return Net(np.empty(0, np.int64), np.empty(0), 0.0, 0.0, 0.0), np.empty((0, 3), np.int64)
    return walk(i, j, slider[2], n_b, now, rules)


@njit(cache=True)
def move(P, P_to, n_b, now, slider, rules, log_, none):
    """Along the slider (NONE: at frozen composition) to P_to, or to where something changes.

    That is another reaction that becomes possible, the end of a stock, or a packet that takes another way.
    Returns P, n_b and the state.
    """
    none_held = np.zeros((0, 2), np.int64)
    held, net, d_max, kind, limit = none_held, none, 0.0, GIVEN, ABSENT
    if slider[2] >= 0:
        net, way = way_of(slider, n_b, now, rules)
        d_max, limit = stock_of(now, net), limit_of(now, net)
        if slider[2] != FUSION:
            held = regulated_fusions(n_b, now, rules)
            push = DZ[slider[2]] * now.Y_n - DK[slider[2]] * now.Y_e
            if push * torque(net, now) < 0:  # it would run away: that is a burn at constant pressure
                slider, held = NONE, none_held
    slides = slider[2] >= 0
    if not slides:
        net, limit = none, ABSENT
    if slides and excess(slider, now, net, d_max * (1 - 1e-12), P_to, n_b, rules) <= 0:
        low, high = P, P_to  # the parent ends on the way
        for _ in range(60):
            middle = sqrt(low * high)
            if excess(slider, now, net, d_max * (1 - 1e-12), middle, n_b, rules) > 0:
                low = middle
            else:
                high = middle
        P_to, kind = high, STOCK
    low, high, P_try, event, keeps_way = P, P_to, P_to, NO_EVENT, False
    while True:
        d, then, n_then = slid(P_try, n_b, now, slider, net, d_max, rules)
        i, j, channel = most_urgent(n_then, then, rules, slider, held)
        changed = False
        if i < 0 and slides and not keeps_way:
            net_then, way_then = way_of(slider, n_then, then, rules)
            changed = len(way_then) > 0
            changed &= abs(net_then.Y_e - net.Y_e) + abs(net_then.Y_n - net.Y_n) > 1e-9
        if i < 0 and not changed:
            low = P_try
            if P_try == high:
                break
        else:
            high, kind = P_try, EVENT
            event = (then.codes[i], then.codes[j], channel, -1) if i >= 0 else NO_EVENT
            if log(high / low) < LANDED:
                if changed and log(high / P) < AT_ONCE:
                    # two ways by turns, a little of each: go on by a part of the step with the one it has now
                    keeps_way, low, kind = True, P, GIVEN
                    high = P_try = P * (P_to / P) ** (1 / 16)
                    continue
                if changed:
                    _, before, n_before = slid(low, n_b, now, slider, net, d_max, rules)
                    way = way_of(slider, n_before, before, rules)[1]
                    event = parting(way, way_then, n_then, then, rules)
                break
        P_try = high if log(high / low) < LANDED else sqrt(low * high)
    amount = NO_AMOUNT
    if slides and d > 0:
        amount = USED_UP if d == d_max else BY_MARGIN
    if amount == USED_UP:
        then = without(then, limit)
        n_then = solve_density(P_try, then.Y_e, then.Y_n, rules.neutron, n_b)
    elif kind == STOCK:
        kind = GIVEN
    if kind != EVENT:
        event = NO_EVENT
    elif event[2] < 0:
        kind = GIVEN
    elif not lands(event, n_then, then, rules):
        kind = GIVEN if changed else BURN
    heat = released(net, d, now, then, n_b, n_then, rules)
    e, t = event, slider
    what = np.array([t[0], t[1], t[2], e[0], e[1], e[2], e[3], amount, kind, limit, -1])
    write(log_, what, np.array([P_try, n_then, then.Y_n, d, heat]), then, net, none)
    return P_try, n_then, then


@njit(cache=True)
def run(codes, Y, grid, rules, step, log_):
    """Fill the log; whether every burn ended."""
    none = Net(np.empty(0, np.int64), np.empty(0), 0.0, 0.0, 0.0)
    now = Now(codes, Y, np.sum(Y * (codes // COLUMNS)), 0.0)
    P, recorded = grid[0], 0
    n_b = solve_density(
        P, now.Y_e, now.Y_n, rules.neutron, (12 * np.pi**2 * P / HBAR_C) ** 0.75 / (3 * np.pi**2 * now.Y_e)
    )
    what = np.array([-1, -1, -1, -1, -1, -1, -1, NO_AMOUNT, GIVEN, ABSENT, -1])
    write(log_, what, np.array([P, n_b, 0.0, 0.0, 0.0]), now, none, none)
    slider = last_channel = last_fusion = NONE
    while True:
        now, n_b, channel, fusion, ended = burn(P, n_b, now, slider, rules, log_, none)
        last_channel = channel if channel[2] >= 0 else last_channel
        last_fusion = fusion if fusion[2] >= 0 else last_fusion
        if not ended or log_[5][0] + MAX_BURNS >= len(log_[0]):
            return False
        if P == grid[recorded]:
            log_[0][log_[5][0] - 1, 10] = recorded
            recorded += 1
            if recorded == len(grid):
                return True
        slider = NONE
        if marginal(last_channel, n_b, now, rules):
            slider = last_channel
        elif marginal(last_fusion, n_b, now, rules):
            slider = last_fusion
        P, n_b, now = move(P, min(P * exp(step), grid[recorded]), n_b, now, slider, rules, log_, none)
