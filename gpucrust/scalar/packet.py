"""Packets: what one unit of a reaction and the cascade behind it do, at one state of a crust (numbers, no JAX).

At constant pressure n_e dmu_e + n_n dmu_n = 0, so there is one degree of freedom, and one marginal reaction controls
it. A *packet* of a trigger's parent is followed at fixed mu_e, mu_n through everything its daughters may do; the *net*
of that walk is what one unit of the trigger does.

Neutrons set free where there are none are taken up at once by the nuclide of the stock that gains most, before a
packet goes on with electron captures. A packet that comes back by fusing with itself has done a geometric series.
"""

from math import log
from typing import NamedTuple

import numpy as np

from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.reactions import CHANNEL_CLASS as CLASS
from gpucrust.scalar.physics import (
    COLUMNS,
    DK,
    DZ,
    FUSION,
    Y_DROPPED,
    Y_REACTS,
    Now,
    add,
    electrons,
    energy_change,
    fusion_product,
    ln_burn_time,
    ln_compression_time,
    neutrons,
    njit,
)

ALLOWED = -1e-5  # MeV, as in the stepper
FUSION_ALLOWED = -1e-3  # in ln(tau/t_acc): an abundance is regulated to this relative accuracy
MARGINAL, FUSION_MARGINAL = 1e-4, 2e-3
FAR = -1e-3  # MeV: a trigger beyond this is not marginal but burns by its class
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
    dE = energy_change(code // COLUMNS, code % COLUMNS, channel, rules)
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
def regulated_fusions(n_b, now, rules):
    """Pairs whose burn time is that of compression: (n, 2) codes."""
    pairs = np.zeros((64, 2), np.int64)
    n = 0
    for i in range(len(now.Y)):
        for j in range(i, len(now.Y)):
            fuse = min(now.Y[i], now.Y[j]) > Y_REACTS and may_fuse(now.codes[i], now.codes[j], rules) and n < 64
            if fuse and ln_tau_ratio(i, j, n_b, now, rules) < FUSION_MARGINAL:
                pairs[n] = now.codes[i], now.codes[j]
                n += 1
    return pairs[:n]


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
def follow(i, j, channel, fed, n_b, now, rules):
    """The net of one unit of a trigger: its packet is followed at fixed mu_e, mu_n.

    Also the way it takes: (steps, 3) nuclide, channel (-1 at its end), and what it fuses with. fed: there are neutrons
    for its captures.
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
    way = np.full((MAX_WALK, 3), -1)
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
            with_packet = add(now.codes.copy(), now.Y.copy(), code, chunk * weight)
            there = Now(with_packet[0], with_packet[1], now.Y_e, now.Y_n)
            me = np.searchsorted(there.codes, code)
            for s in range(len(there.Y)):
                if (s == me or there.Y[s] >= chunk) and may_fuse(code, there.codes[s], rules):
                    c, ln_tau = fusion_rank(me, s, n_b, there, rules)
                    if c < rank or (c == rank and ln_tau < order):
                        best, partner, rank, order = FUSION, there.codes[s], c, ln_tau
        way[steps - 1, 0] = code
        if best < 0 or rank > own_rank or (rank == own_rank and order > own_g):
            break
        way[steps - 1, 1], way[steps - 1, 2] = best, partner
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
    return Net(codes[:n], Y[:n], Y_e, float(Y_n), heat), way[:steps]


@njit(cache=True)
def walk(i, j, channel, n_b, now, rules):
    """The net of one unit of a trigger, with that of the captor of its neutrons where they are scarce; and its way."""
    net, way = follow(i, j, channel, False, n_b, now, rules)
    mu_e, mu_n = potentials(n_b, now, rules)
    captor, taken, g_captor = best_captor(mu_e, mu_n, now, rules)
    if g_captor < ALLOWED and net.Y_n > 1e-9 and not enough_neutrons(1 + taken, now.Y_n, rules):
        at = index_of(now, captor)
        other, _ = follow(at, at, 1 + taken, True, n_b, now, rules)
        if other.Y_n < -1e-9:
            net = together(net, other, net.Y_n / -other.Y_n)
            net = Net(net.codes, net.Y, net.Y_e, 0.0, net.heat)
    return net, way


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
def after(now, net, d):
    codes, Y = now.codes.copy(), now.Y.copy()
    for s in range(len(net.codes)):
        codes, Y = add(codes, Y, net.codes[s], d * net.Y[s])
    codes, Y = codes[Y > Y_DROPPED], Y[Y > Y_DROPPED]
    return Now(codes, Y, np.sum(Y * (codes // COLUMNS)), max(now.Y_n + d * net.Y_n, 0.0))


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
def torque(net, now):
    """The net's push along the one degree of freedom at constant pressure."""
    return net.Y_e * now.Y_n - net.Y_n * now.Y_e
