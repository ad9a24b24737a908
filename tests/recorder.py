"""The packet-and-slide code of `slide` once more, keeping a record of every step (`gpucrust.record`)."""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numba import njit
from reference import COLUMNS, FUSION, HBAR_C, Now, Rules, solve_density
from slide import (
    ALLOWED,
    DK,
    DZ,
    FUSION_ALLOWED,
    LANDED,
    NONE,
    Net,
    affinity,
    after,
    bite_of,
    excess,
    index_of,
    ln_tau_ratio,
    marginal,
    marginal_amount,
    most_urgent,
    potentials,
    regulated_fusions,
    stock_of,
    together,
    torque,
    walk,
)

from gpucrust.constants import DYN_PER_CM2
from gpucrust.record import Amount, Move, Record

MAX_STEPS, WIDTH = 6000, 64
NO_AMOUNT, MARGINAL, USED_UP, SHARE = (int(x) for x in Amount)
BURN, GIVEN, EVENT, STOCK = (int(x) for x in Move)
ABSENT = -2  # no stock limits


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
        return Now(now.codes, now.Y, now.Y_e, 0.0, now.unmixed)
    stays = now.codes != limit
    codes, Y = now.codes[stays], now.Y[stays]
    return Now(codes, Y, np.sum(Y * (codes // COLUMNS)), now.Y_n, now.unmixed)


@njit(cache=True)
def write(log_, what, reals, nets, before, then, net, net2):
    """One line of the log: what (10,) and reals (5,) as below; nets and abundances by code."""
    integers, floats, codes, numbers, neutrons, n = log_
    s = n[0]
    integers[s, :10], floats[s, :5] = what, reals
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
def burn(P, n_b, now, partner, rules, counts, max_burns, log_, none):
    """`slide.burn`, recording."""
    channel_trigger, fusion_trigger = NONE, NONE
    for _ in range(max_burns):
        i, j, channel = most_urgent(n_b, now, rules, NONE, np.zeros((0, 2), np.int64))
        if i < 0:
            return now, n_b, channel_trigger, fusion_trigger, True
        trigger = (now.codes[i], now.codes[j], channel)
        net, _steps = walk(i, j, channel, n_b, now, rules)
        first, second = net, none
        opposed = False
        pi, pj = index_of(now, partner[0]), index_of(now, partner[1])
        if pi >= 0 and pj >= 0 and partner != trigger and partner[2] != FUSION and channel != FUSION:
            other, _steps = walk(pi, pj, partner[2], n_b, now, rules)
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
            amount = USED_UP if d == d_max else MARGINAL if d == root else SHARE
        if not d > 0:
            return now, n_b, channel_trigger, fusion_trigger, False
        before, n_before = now, n_b
        now = after(now, net, d)
        if amount == USED_UP:
            now = without(now, limit)
        n_b = solve_density(P, now.Y_e, now.Y_n, rules.neutron, n_b)
        heat = released(net, d, before, now, n_before, n_b, rules)
        what = np.array([trigger[0], trigger[1], trigger[2], -1, -1, -1, amount, BURN, limit, -1])
        write(log_, what, np.array([P, n_b, now.Y_n, d, heat]), 0, before, now, first, second)
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
        return abs(ln_tau_ratio(i, j, n_b, now, rules) - FUSION_ALLOWED) < 1e-5
    mu_e, mu_n = potentials(n_b, now, rules)
    return abs(affinity(event[0], event[2], mu_e, mu_n, now, rules) - ALLOWED) < 1e-6


@njit(cache=True)
def move(P, P_to, n_b, now, slider, rules, counts, log_, none):
    """`slide.move`, recording."""
    none_held = np.zeros((0, 2), np.int64)
    held, net, d_max, kind, limit = none_held, none, 0.0, GIVEN, ABSENT
    if slider[2] >= 0:
        i, j = index_of(now, slider[0]), index_of(now, slider[1])
        net, _steps = walk(i, j, slider[2], n_b, now, rules)
        d_max, limit = stock_of(now, net), limit_of(now, net)
        if slider[2] != FUSION:
            held = regulated_fusions(n_b, now, rules)
            push = DZ[slider[2]] * now.Y_n - DK[slider[2]] * now.Y_e
            if push * torque(net, now) < 0:  # it would run away: that is a burn at constant pressure
                slider, held = NONE, none_held
    slides = slider[2] >= 0
    if slides and excess(slider, now, net, d_max * (1 - 1e-12), P_to, n_b, rules) <= 0:
        low, high = P, P_to  # the parent ends on the way
        for _ in range(60):
            middle = sqrt(low * high)
            if excess(slider, now, net, d_max * (1 - 1e-12), middle, n_b, rules) > 0:
                low = middle
            else:
                high = middle
        P_to, kind = high, STOCK
    low, high, P_try, shortened, whole, event = P, P_to, P_to, 0, True, NONE
    while True:
        d = marginal_amount(slider, now, net, d_max, P_try, n_b, rules) if slides else 0.0
        then = after(now, net, d) if slides else now
        n_then = solve_density(P_try, then.Y_e, then.Y_n, rules.neutron, n_b)
        i, j, channel = most_urgent(n_then, then, rules, slider, held)
        ended = False
        if i >= 0:
            event = (then.codes[i], then.codes[j], channel)
            high, whole, kind = P_try, False, EVENT
        elif not whole:
            low = P_try
        else:
            i, j = index_of(then, slider[0]), index_of(then, slider[1])
            if slides and i >= 0 and j >= 0:
                net_then, _steps = walk(i, j, slider[2], n_then, then, rules)
                changed = abs(net_then.Y_e - net.Y_e) + abs(net_then.Y_n - net.Y_n) > 1e-9
                if changed and shortened < 2:
                    shortened += 1
                    high = P_try = P * (P_try / P) ** 0.25
                    kind = GIVEN
                    continue
            ended = True
        if ended or (log(high / low) < LANDED and P_try == high):
            amount = NO_AMOUNT
            if slides and d > 0:
                amount = USED_UP if d == d_max else MARGINAL
            if amount == USED_UP:
                then = without(then, limit)
                n_then = solve_density(P_try, then.Y_e, then.Y_n, rules.neutron, n_b)
            elif kind == STOCK:
                kind = GIVEN
            if kind != EVENT:
                event = NONE
            elif not lands(event, n_then, then, rules):
                kind = BURN
            if not slides:
                slider, net, limit = NONE, none, ABSENT
            heat = released(net, d, now, then, n_b, n_then, rules)
            e, t = event, slider
            what = np.array([t[0], t[1], t[2], e[0], e[1], e[2], amount, kind, limit, -1])
            write(log_, what, np.array([P_try, n_then, then.Y_n, d, heat]), 0, now, then, net, none)
            return P_try, n_then, then
        P_try = high if log(high / low) < LANDED else sqrt(low * high)


@njit(cache=True)
def run(codes, Y, grid, rules, step, counts, log_):
    """Fill the log; whether every burn ended."""
    none = Net(np.empty(0, np.int64), np.empty(0), 0.0, 0.0, 0.0)
    now = Now(codes, Y, np.sum(Y * (codes // COLUMNS)), 0.0, False)
    P, recorded = grid[0], 0
    n_b = solve_density(
        P, now.Y_e, now.Y_n, rules.neutron, (12 * np.pi**2 * P / HBAR_C) ** 0.75 / (3 * np.pi**2 * now.Y_e)
    )
    what = np.array([-1, -1, -1, -1, -1, -1, NO_AMOUNT, GIVEN, ABSENT, -1])
    write(log_, what, np.array([P, n_b, 0.0, 0.0, 0.0]), 0, now, now, none, none)
    slider = last_channel = last_fusion = NONE
    while True:
        now, n_b, channel, fusion, ended = burn(P, n_b, now, slider, rules, counts, 1000, log_, none)
        last_channel = channel if channel[2] >= 0 else last_channel
        last_fusion = fusion if fusion[2] >= 0 else last_fusion
        if not ended:
            return False
        if P == grid[recorded]:
            log_[0][log_[5][0] - 1, 9] = recorded
            recorded += 1
            if recorded == len(grid):
                return True
        slider = NONE
        if marginal(last_channel, n_b, now, rules):
            slider = last_channel
        elif marginal(last_fusion, n_b, now, rules):
            slider = last_fusion
        P, n_b, now = move(P, min(P * exp(step), grid[recorded]), n_b, now, slider, rules, counts, log_, none)


@dataclass
class _Slots:
    """Slots of nuclides that come and go."""

    codes: np.ndarray

    def hold(self, wanted, present):
        """Give a slot to every code wanted; those not present may lose theirs."""
        for code in wanted:
            if code in self.codes:
                continue
            free = [s for s, c in enumerate(self.codes) if c not in wanted and c not in present]
            self.codes[free[0]] = code

    def spread(self, codes, values):
        out = np.zeros(len(self.codes))
        for code, value in zip(codes, values, strict=True):
            out[np.flatnonzero(self.codes == code)[0]] += value
        return out


def record(mixed, ash, *, pressures, g_mdot, step=0.01, pycno=True, packet=0.002, ln_scale=0.0, slots=24, neutron=None):
    """The Record of an ash burnt with the masses `mixed` (61, 161). Arguments as of `slide.evolve`."""
    nuclides = sorted(ash)
    codes = np.array([Z * COLUMNS + N for Z, N in nuclides])
    Y = np.array([ash[nuclide] / sum(nuclide) for nuclide in nuclides])
    mixed = np.ascontiguousarray(mixed, dtype=np.float64)
    neutron = neutron or (1.2974, 15.0298, -15.2343, 7.4663)
    rules = Rules(mixed, mixed[None], neutron, packet, Y.sum(), float(g_mdot), pycno, float(ln_scale), 1.0)
    log_ = (
        np.full((MAX_STEPS, 10), -1),
        np.zeros((MAX_STEPS, 5)),
        np.full((MAX_STEPS, 3, WIDTH), -1),
        np.zeros((MAX_STEPS, 3, WIDTH)),
        np.zeros((MAX_STEPS, 2)),
        np.zeros(1, np.int64),
    )
    grid = np.asarray(pressures, float) / DYN_PER_CM2
    if not run(codes, Y, grid, rules, step, np.zeros(3, np.int64), log_):
        raise RuntimeError("a burn at constant pressure does not end")
    n = log_[5][0]
    what, reals, all_codes, numbers, neutrons = (x[:n] for x in log_[:5])
    table = _Slots(np.zeros(slots, np.int64))
    lines, present = [], set(codes.tolist())
    for s in range(n):
        own = [c[c >= 0] for c in all_codes[s]]
        after_it = set(own[2].tolist())
        wanted = set(own[0].tolist()) | set(own[1].tolist()) | after_it | present
        wanted |= {c for c in (*what[s, :2], *what[s, 3:5]) if c >= 0}
        table.hold(wanted, present)
        net, net2, Y_after = (table.spread(c, numbers[s, k, : len(c)]) for k, c in enumerate(own))
        limit = what[s, 8]
        slot = limit if limit < 0 else int(np.flatnonzero(table.codes == limit)[0])
        lines.append((table.codes.copy(), net, net2, Y_after, max(slot, -1)))
        if s == 0:
            Y_start = table.spread(codes, Y)
        present = after_it
    nuclide, net, net2, Y_after, limit = (np.stack(x) for x in zip(*lines, strict=True))
    return Record(
        nuclide=nuclide,
        net=net,
        net_Y_n=neutrons[:, 0],
        net2=net2,
        net2_Y_n=neutrons[:, 1],
        trigger=what[:, :3],
        event=what[:, 3:6],
        amount=what[:, 6],
        move=what[:, 7],
        limit=limit,
        P=reals[:, 0],
        n_b=reals[:, 1],
        Y=Y_after,
        Y_n=reals[:, 2],
        d=reals[:, 3],
        heat=np.cumsum(reals[:, 4]),
        grid_index=what[:, 9],
        Y_start=Y_start,
    )
