"""A plain scalar packet-and-slide code: the limit of the threshold-search stepper for chunks that go to zero.

At constant pressure n_e dmu_e + n_n dmu_n = 0, so there is one degree of freedom, and one marginal reaction controls
it. A *packet* of a trigger's parent is followed at fixed mu_e, mu_n through everything its daughters may do; the *net*
of that walk is what one unit of the trigger does. While the trigger is marginal the crust slides: pressure rises by a
bounded step, and as much of the net goes as keeps the trigger's affinity at zero. A step ends early where another
reaction becomes possible or the walk takes another way. At constant pressure, two marginal reactions that
oppose each other go together in the ratio that leaves mu_e and mu_n as they are, until a parent is gone.

Neutrons set free where there are none are taken up at once by the nuclide of the stock that gains most, which is
followed as a second packet. A packet that comes back by fusing with itself has done a geometric series.
Mixed masses only. Units as in `reference`: MeV, fm, per baryon.
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from gpucrust.constants import DYN_PER_CM2
from twins.reference import (
    CLASS,
    COLUMNS,
    DK,
    DZ,
    FUSION,
    HBAR_C,
    NEUTRON_EXCESS,
    Y_DROPPED,
    Y_REACTS,
    Now,
    Rules,
    add,
    electrons,
    energy_change,
    fusion_product,
    ln_burn_time,
    ln_compression_time,
    neutrons,
    solve_density,
)

ALLOWED = -1e-5  # MeV, as in the stepper
FUSION_ALLOWED = -1e-3  # in ln(tau/t_acc): an abundance is regulated to this relative accuracy
MARGINAL, FUSION_MARGINAL = 1e-4, 2e-3
FAR = -1e-3  # MeV: a trigger beyond this is not marginal but burns by its class
BITE = 0.05  # MeV: change of mu_e and mu_n in one burn
LANDED = 1e-9  # in ln P
AT_ONCE = 1e-6  # in ln P: a walk that changes sooner than this changes back and forth
MAX_WALK, MAX_NET = 58, 40
NONE = (-1, -1, -1)


class Net(NamedTuple):
    """What one unit of a trigger does in the end, per unit; codes in no order, possibly with zeros."""

    codes: np.ndarray
    Y: np.ndarray
    Y_e: float
    Y_n: float
    heat: float  # MeV


@njit(cache=True)
def potentials(n_b, now, rules):
    """mu_e, and mu_n with the neutron's mass excess."""
    return electrons(n_b * now.Y_e)[0], NEUTRON_EXCESS + neutrons(n_b * now.Y_n, rules.neutron)[0]


@njit(cache=True)
def affinity(code, channel, mu_e, mu_n, now, rules):
    """g of an infinitesimal amount; inf where the channel does not exist."""
    dE = energy_change(code // COLUMNS, code % COLUMNS, channel, rules, now.unmixed)
    return np.inf if np.isnan(dE) else dE + DZ[channel] * mu_e + DK[channel] * mu_n


@njit(cache=True)
def enough_neutrons(channel, Y_n, rules):
    return DK[channel] >= 0 or Y_n > -DK[channel] * 1e-3 * rules.chunk * rules.Y_start


@njit(cache=True)
def may_fuse(code, other, rules):
    Z1, Z2 = code // COLUMNS, other // COLUMNS
    return rules.pycno and min(Z1, Z2) >= 4 and max(Z1, Z2) <= 14


@njit(cache=True)
def ln_tau_ratio(i, j, n_b, now, rules):
    return ln_burn_time(i, j, n_b, now, rules) - ln_compression_time(n_b, now, rules)


@njit(cache=True)
def index_of(now, code):
    at = np.searchsorted(now.codes, code)
    return at if at < len(now.codes) and now.codes[at] == code and now.Y[at] > Y_REACTS else -1


@njit(cache=True)
def fusion_rank(i, j, n_b, now, rules):
    """(class, ln tau) of a fusion that may happen; (inf, inf) otherwise."""
    if not ln_tau_ratio(i, j, n_b, now, rules) < FUSION_ALLOWED or not fusion_product(i, j, n_b, now, rules)[1] > 0:
        return np.inf, np.inf
    ln_tau = ln_burn_time(i, j, n_b, now, rules)
    return (1.5 if ln_tau < log(rules.t_weak) else 3.0), ln_tau


@njit(cache=True)
def most_urgent(n_b, now, rules, slider, left_out):
    """(i, j, channel) of what happens now, i = -1 for nothing; the slider and the fusions left out do not count."""
    mu_e, mu_n = potentials(n_b, now, rules)
    best, rank, order = NONE, np.inf, np.inf
    for i in range(len(now.Y)):
        if now.Y[i] <= Y_REACTS:
            continue
        for channel in range(FUSION):
            g = affinity(now.codes[i], channel, mu_e, mu_n, now, rules)
            slides = slider[0] == now.codes[i] and slider[2] == channel
            if g < ALLOWED and not slides and enough_neutrons(channel, now.Y_n, rules):
                c = float(CLASS[channel])
                if c < rank or (c == rank and g < order):
                    best, rank, order = (i, i, channel), c, g
        for j in range(i, len(now.Y)):
            if now.Y[j] <= Y_REACTS or not may_fuse(now.codes[i], now.codes[j], rules):
                continue
            held = slider[0] == now.codes[i] and slider[1] == now.codes[j] and slider[2] == FUSION
            for pair in left_out:
                held |= pair[0] == now.codes[i] and pair[1] == now.codes[j]
            if held:
                continue
            c, ln_tau = fusion_rank(i, j, n_b, now, rules)
            if c < rank or (c == rank and ln_tau < order):
                best, rank, order = (i, j, FUSION), c, ln_tau
    return best


@njit(cache=True)
def regulated_fusions(n_b, now, rules, fused):
    """Of the pairs that have fused, (n, 2) codes, those that have not become slower than compression since."""
    stays = np.zeros(len(fused), np.bool_)
    for k in range(len(fused)):
        i, j = index_of(now, fused[k, 0]), index_of(now, fused[k, 1])
        plenty = i >= 0 and j >= 0 and min(now.Y[i], now.Y[j]) > rules.chunk * rules.Y_start
        stays[k] = not plenty or ln_tau_ratio(i, j, n_b, now, rules) < FUSION_MARGINAL
    return fused[stays]


@njit(cache=True)
def best_captor(mu_e, mu_n, now, rules):
    """The capture of neutrons that releases most: code, neutrons, affinity (0 for none)."""
    code, count, lowest = np.int64(-1), 0, 0.0
    for i in range(len(now.Y)):
        for channel in range(2, 4):
            g = affinity(now.codes[i], channel, mu_e, mu_n, now, rules) if now.Y[i] > Y_REACTS else 0.0
            if g < lowest:
                code, count, lowest = now.codes[i], -DK[channel], g
    return code, count, lowest


@njit(cache=True)
def put(codes, Y, n, code, amount):
    """Add to a net of n entries; the new number of entries."""
    for s in range(n):
        if codes[s] == code:
            Y[s] += amount
            return n
    codes[n], Y[n] = code, amount
    return n + 1


@njit(cache=True)
def together(first, second, ratio):
    """first + ratio second."""
    order = np.argsort(first.codes)
    codes, Y = first.codes[order], first.Y[order]
    for s in range(len(second.codes)):
        codes, Y = add(codes, Y, second.codes[s], ratio * second.Y[s])
    Y_e, Y_n = first.Y_e + ratio * second.Y_e, first.Y_n + ratio * second.Y_n
    return Net(codes, Y, Y_e, Y_n, first.heat + ratio * second.heat)


@njit(cache=True)
def follow(i, j, channel, fed, n_b, now, rules):
    """The net of one unit of a trigger: its packet is followed at fixed mu_e, mu_n. Also the number of steps.

    fed: there are neutrons for its captures.
    """
    mu_e, mu_n = potentials(n_b, now, rules)
    g_captor = best_captor(mu_e, mu_n, now, rules)[2]
    codes, Y, start = np.empty(MAX_NET, np.int64), np.zeros(MAX_NET), now.codes[i]
    n = put(codes, Y, 0, start, -1.0)
    own_rank, own_g = np.inf, 0.0
    if channel == FUSION:
        n = put(codes, Y, n, now.codes[j], -1.0)
        k, heat = fusion_product(i, j, n_b, now, rules)
        code, Y_e, Y_n = start + now.codes[j] - k, 0.0, float(k)
    else:
        g = affinity(start, channel, mu_e, mu_n, now, rules)
        code, Y_e, Y_n, heat = start + DZ[channel] * (COLUMNS - 1) - DK[channel], float(DZ[channel]), DK[channel], -g
        if g < FAR and DK[channel] >= 0:
            own_rank, own_g = float(CLASS[channel]), g
    weight, steps, visits = 1.0, 1, 0
    visited, before, Y_before = np.zeros(MAX_WALK, np.int64), np.zeros((MAX_WALK, 4)), np.zeros((MAX_WALK, MAX_NET))
    while code != start and steps < MAX_WALK:
        best, partner, rank, order = -1, 0, np.inf, np.inf
        for c in range(FUSION):
            if not fed and not enough_neutrons(c, now.Y_n, rules) and not Y_n >= -DK[c]:
                continue
            g = affinity(code, c, mu_e, mu_n, now, rules)
            outdone = DK[c] < 0 and g_captor < ALLOWED and g >= g_captor
            if g < ALLOWED and not outdone and (CLASS[c] < rank or (CLASS[c] == rank and g < order)):
                best, rank, order = c, float(CLASS[c]), g
        if may_fuse(code, code, rules):
            chunk = rules.chunk * rules.Y_start
            with_packet = add(now.codes.copy(), now.Y.copy(), code, chunk)
            there = Now(with_packet[0], with_packet[1], now.Y_e, now.Y_n, now.unmixed)
            me = np.searchsorted(there.codes, code)
            for s in range(len(there.Y)):
                if (s == me or there.Y[s] >= chunk) and may_fuse(code, there.codes[s], rules):
                    c, ln_tau = fusion_rank(me, s, n_b, there, rules)
                    if c < rank or (c == rank and ln_tau < order):
                        best, partner, rank, order = FUSION, there.codes[s], c, ln_tau
        if best < 0 or rank > own_rank or (rank == own_rank and order > own_g):
            break
        steps += 1
        if best != FUSION:
            heat -= weight * order
            Y_e += weight * DZ[best]
            Y_n += weight * DK[best]
            code += DZ[best] * (COLUMNS - 1) - DK[best]
            continue
        again = -1
        for s in range(visits):
            if visited[s] == code:
                again = s
        if again >= 0:
            left = weight / before[again, 3]
            if left < 1:
                series = 1 / (1 - left)
                Y_e = before[again, 0] + (Y_e - before[again, 0]) * series
                Y_n = before[again, 1] + (Y_n - before[again, 1]) * series
                heat = before[again, 2] + (heat - before[again, 2]) * series
                Y = Y_before[again] + (Y - Y_before[again]) * series
                weight = 0.0
            break
        visited[visits], before[visits], Y_before[visits] = code, np.array([Y_e, Y_n, heat, weight]), Y
        visits += 1
        if partner == code:
            weight /= 2
        else:
            n = put(codes, Y, n, partner, -weight)
        Z, N = (code // COLUMNS) + (partner // COLUMNS), code % COLUMNS + partner % COLUMNS
        E, k = np.inf, 0
        for kept in range(min(N, COLUMNS - 1) + 1):
            this = rules.mixed[Z, kept] + (N - kept) * mu_n
            if this < E:
                E, k = this, N - kept
        E_parents = rules.mixed[code // COLUMNS, code % COLUMNS] + rules.mixed[partner // COLUMNS, partner % COLUMNS]
        heat += weight * (E_parents - E)
        Y_n += weight * k
        code += partner - k
    n = put(codes, Y, n, code, weight)
    return Net(codes[:n], Y[:n], Y_e, float(Y_n), heat), steps


@njit(cache=True)
def walk(i, j, channel, n_b, now, rules):
    """The net of one unit of a trigger, with that of the captor of its neutrons where they are scarce."""
    net, steps = follow(i, j, channel, False, n_b, now, rules)
    captor, taken, g_captor = best_captor(*potentials(n_b, now, rules), now, rules)
    if g_captor < ALLOWED and net.Y_n > 1e-9 and not enough_neutrons(1 + taken, now.Y_n, rules):
        at = index_of(now, captor)
        other, more = follow(at, at, 1 + taken, True, n_b, now, rules)
        steps += more
        if other.Y_n < -1e-9:
            net = together(net, other, net.Y_n / -other.Y_n)
            net = Net(net.codes, net.Y, net.Y_e, 0.0, net.heat)
    return net, steps


@njit(cache=True)
def after(now, net, d):
    codes, Y = now.codes.copy(), now.Y.copy()
    for s in range(len(net.codes)):
        codes, Y = add(codes, Y, net.codes[s], d * net.Y[s])
    codes, Y = codes[Y > Y_DROPPED], Y[Y > Y_DROPPED]
    return Now(codes, Y, np.sum(Y * (codes // COLUMNS)), max(now.Y_n + d * net.Y_n, 0.0), now.unmixed)


@njit(cache=True)
def stock_of(now, net):
    """The amount of the net that uses up a nuclide, or the neutrons."""
    d = now.Y_n / -net.Y_n if net.Y_n < 0 else np.inf
    for s in range(len(net.codes)):
        if net.Y[s] < 0:
            at = np.searchsorted(now.codes, net.codes[s])
            present = at < len(now.codes) and now.codes[at] == net.codes[s]
            d = min(d, now.Y[at] / -net.Y[s] if present else 0.0)
    return d


@njit(cache=True)
def excess(trigger, now, net, d, P, n_b, rules):
    """Affinity, or ln(tau/t_acc), of the trigger after d of the net, at P: below 0 it goes on."""
    if trigger[2] == FUSION:
        then = after(now, net, d)
        i, j = index_of(then, trigger[0]), index_of(then, trigger[1])
        n_b = solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b)
        return ln_tau_ratio(i, j, n_b, then, rules) if i >= 0 and j >= 0 else np.inf
    then = Now(now.codes, now.Y, now.Y_e + d * net.Y_e, max(now.Y_n + d * net.Y_n, 0.0), now.unmixed)
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
        then = Now(now.codes, now.Y, now.Y_e + d * net.Y_e, max(now.Y_n + d * net.Y_n, 0.0), now.unmixed)
        mu_then = potentials(solve_density(P, then.Y_e, then.Y_n, rules.neutron, n_b), then, rules)
        change = max(abs(mu_then[0] - mu[0]), abs(mu_then[1] - mu[1]))
        if change <= BITE:
            return d
        d *= max(0.1, 0.8 * BITE / change)


@njit(cache=True)
def torque(net, now):
    """The net's push along the one degree of freedom at constant pressure."""
    return net.Y_e * now.Y_n - net.Y_n * now.Y_e


@njit(cache=True)
def released(net, d, before, then, n_before, n_then, rules):
    """Gibbs energy that d of the net sets free: at the mean of the potentials before and after."""
    mu, mu_then = potentials(n_before, before, rules), potentials(n_then, then, rules)
    G = net.Y_e * (mu[0] + mu_then[0]) / 2 + net.Y_n * (mu[1] + mu_then[1]) / 2
    for s in range(len(net.codes)):
        G += net.Y[s] * rules.mixed[net.codes[s] // COLUMNS, net.codes[s] % COLUMNS]
    return -d * G


@njit(cache=True)
def burn(P, n_b, now, partner, fused, rules, counts, max_burns):
    """Everything that is possible at P, to its end; `partner` is marginal so far, `fused` are pairs that have fused.

    Returns the state, n_b, heat, the last marginal channel and fusion (NONE if there was none), pairs that have fused
    by now, and whether it ended.
    """
    heat, channel_trigger, fusion_trigger = 0.0, NONE, NONE
    for _ in range(max_burns):
        counts[0] += 1
        i, j, channel = most_urgent(n_b, now, rules, NONE, np.zeros((0, 2), np.int64))
        if i < 0:
            return now, n_b, heat, channel_trigger, fusion_trigger, fused, True
        counts[2] += 1
        trigger = (now.codes[i], now.codes[j], channel)
        net, steps = walk(i, j, channel, n_b, now, rules)
        counts[1] += steps
        opposed = False
        pi, pj = index_of(now, partner[0]), index_of(now, partner[1])
        if pi >= 0 and pj >= 0 and partner != trigger and partner[2] != FUSION and channel != FUSION:
            other, steps = walk(pi, pj, partner[2], n_b, now, rules)
            counts[1] += steps
            opposed = torque(net, now) * torque(other, now) < 0
            if opposed:
                net = together(net, other, -torque(net, now) / torque(other, now))
        d_max = stock_of(now, net)
        d = d_max
        if not opposed and not (channel == FUSION and d_max <= rules.chunk * rules.Y_start):
            root = marginal_amount(trigger, now, net, d_max, P, n_b, rules)
            d = bite_of(now, net, root, P, n_b, rules)
            partner = trigger if d == root and root < d_max else NONE
        if not d > 0:
            return now, n_b, heat, channel_trigger, fusion_trigger, fused, False
        before, n_before = now, n_b
        now = after(now, net, d)
        n_b = solve_density(P, now.Y_e, now.Y_n, rules.neutron, n_b)
        heat += released(net, d, before, now, n_before, n_b, rules)
        if channel == FUSION:
            fusion_trigger = trigger
            fused = np.concatenate((fused, np.array([[trigger[0], trigger[1]]])))
        else:
            channel_trigger = trigger
    return now, n_b, heat, channel_trigger, fusion_trigger, fused, False


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
def move(P, P_to, n_b, now, slider, regulated, rules, counts):
    """Along the slider (NONE: at frozen composition) to P_to, or to where something changes.

    That is another reaction that becomes possible, or a walk that takes another way. Returns P, n_b, the state and the
    heat.
    """
    held = np.zeros((0, 2), np.int64)
    net, d_max = Net(np.empty(0, np.int64), np.empty(0), 0.0, 0.0, 0.0), 0.0
    if slider[2] >= 0:
        i, j = index_of(now, slider[0]), index_of(now, slider[1])
        net, steps = walk(i, j, slider[2], n_b, now, rules)
        counts[1] += steps
        d_max = stock_of(now, net)
        push = DZ[slider[2]] * now.Y_n - DK[slider[2]] * now.Y_e if slider[2] != FUSION else 0.0
        if push * torque(net, now) < 0:  # it would run away: that is a burn at constant pressure
            slider = NONE
        elif slider[2] != FUSION:
            held = regulated
    slides = slider[2] >= 0
    if slides and excess(slider, now, net, d_max * (1 - 1e-12), P_to, n_b, rules) <= 0:
        low, high = P, P_to  # the parent ends on the way
        for _ in range(60):
            middle = sqrt(low * high)
            if excess(slider, now, net, d_max * (1 - 1e-12), middle, n_b, rules) > 0:
                low = middle
            else:
                high = middle
        P_to = high
    low, high, P_try, lets_go = P, P_to, P_to, False
    while True:
        d = marginal_amount(slider, now, net, d_max, P_try, n_b, rules) if slides else 0.0
        then = after(now, net, d) if slides else now
        n_then = solve_density(P_try, then.Y_e, then.Y_n, rules.neutron, n_b)
        counts[0] += 1
        possible, changed = most_urgent(n_then, then, rules, slider, held)[0] >= 0, False
        i, j = index_of(then, slider[0]), index_of(then, slider[1])
        if slides and not possible and not lets_go and i >= 0 and j >= 0:
            net_then, steps = walk(i, j, slider[2], n_then, then, rules)
            counts[1] += steps
            changed = abs(net_then.Y_e - net.Y_e) + abs(net_then.Y_n - net.Y_n) > 1e-9
        ends = P_try == high
        if possible or changed:
            high = P_try
            ends = log(high / low) < LANDED
            if ends and changed and log(high / P) < AT_ONCE:
                lets_go, ends, low = True, False, P
                high = P_try = P * (P_to / P) ** (1 / 16)
                continue
        else:
            low = P_try
        if ends:
            return P_try, n_then, then, released(net, d, now, then, n_b, n_then, rules)
        P_try = high if log(high / low) < LANDED else sqrt(low * high)


@njit(cache=True)
def run(codes, Y, grid, rules, step, counts):
    """Profile (8, len(grid)): n_b, Y_e, Y_n, mu_e, mu_n, sum Y, baryons, heat; and whether every burn ended."""
    profile = np.full((8, len(grid)), np.nan)
    now = Now(codes, Y, np.sum(Y * (codes // COLUMNS)), 0.0, False)
    P, heat, recorded = grid[0], 0.0, 0
    n_b = solve_density(
        P, now.Y_e, now.Y_n, rules.neutron, (12 * np.pi**2 * P / HBAR_C) ** 0.75 / (3 * np.pi**2 * now.Y_e)
    )
    slider = last_channel = last_fusion = NONE
    fused = np.zeros((0, 2), np.int64)
    while True:
        now, n_b, q, channel, fusion, fused, ended = burn(P, n_b, now, slider, fused, rules, counts, 1000)
        heat += q
        last_channel = channel if channel[2] >= 0 else last_channel
        last_fusion = fusion if fusion[2] >= 0 else last_fusion
        if not ended:
            return profile, False
        if P == grid[recorded]:
            mu_e, mu_n = potentials(n_b, now, rules)
            baryons = now.Y_n + np.sum(now.Y * (now.codes // COLUMNS + now.codes % COLUMNS))
            mu_n -= NEUTRON_EXCESS
            profile[:, recorded] = n_b, now.Y_e, now.Y_n, mu_e, mu_n, now.Y.sum(), baryons, heat
            recorded += 1
            if recorded == len(grid):
                return profile, True
        slider = NONE
        if marginal(last_channel, n_b, now, rules):
            slider = last_channel
        elif marginal(last_fusion, n_b, now, rules):
            slider = last_fusion
        fused = regulated_fusions(n_b, now, rules, fused)
        P, n_b, now, q = move(P, min(P * exp(step), grid[recorded]), n_b, now, slider, fused, rules, counts)
        heat += q


@dataclass(frozen=True)
class Result:
    n_b: np.ndarray
    Y_e: np.ndarray
    Y_n: np.ndarray
    mu_e: np.ndarray
    mu_n: np.ndarray
    sum_Y: np.ndarray
    baryons: np.ndarray
    heat: np.ndarray
    evaluations: int  # of all affinities
    walks: int  # steps of packets
    burns: int


def evolve(mixed, ash, *, pressures, g_mdot, step=0.01, pycno=True, packet=0.002):
    """Burn an ash. packet: the abundance that a packet counts for in burn times, in units of the initial nuclei."""
    nuclides = sorted(ash)
    codes = np.array([Z * COLUMNS + N for Z, N in nuclides])
    Y = np.array([ash[nuclide] / sum(nuclide) for nuclide in nuclides])
    mixed = np.ascontiguousarray(mixed, dtype=np.float64)
    neutron = (1.2974, 15.0298, -15.2343, 7.4663)
    rules = Rules(mixed, mixed[None], neutron, packet, Y.sum(), float(g_mdot), pycno, 0.0, 1.0)
    counts = np.zeros(3, np.int64)
    profile, ended = run(codes, Y, np.asarray(pressures, float) / DYN_PER_CM2, rules, step, counts)
    if not ended:
        raise RuntimeError("a burn at constant pressure does not end")
    return Result(*profile, evaluations=int(counts[0]), walks=int(counts[1]), burns=int(counts[2]))
