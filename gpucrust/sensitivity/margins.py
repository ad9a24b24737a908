"""How far the sequence of a crust is from another one: the smallest mass shift that would change it.

The sequence is cut into *stretches*, along which one net goes (or nothing), with the burns before. In a stretch some
reactions happen: the trigger, and those of the cascade behind it. A decision is a reaction of a nuclide in the stock or
on the cascade that could come in (it is not allowed, or a more urgent one goes first) or could drop out. Its distance
is the change of its energy that would do so, at the start and at the end of the stretch. Where a reaction opens or
closes by itself at an end of the stretch, because the next or the previous stretch has it the other way, the
distance there does not count: a shift moves that end, and the sequence stays.

Cascades are followed here by channels only; where one ends in a fusion, its nuclides that may fuse are left out.
"""

from typing import NamedTuple

import numpy as np

from gpucrust.engine.interface import Y_REACTS
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.nuclide import N_STRIDE
from gpucrust.physics import pycno
from gpucrust.physics.reactions import (
    CAPTURE,
    CHANNEL_CLASS,
    CHANNEL_DZ,
    CHANNEL_K,
    CHANNELS,
    THRESHOLD,
    channel_energies,
)
from gpucrust.sensitivity.tape import PADDING, Record, nuclide_label, reaction_label

MAX_CASCADE = 60
FAR = -1e-3
"""MeV: a trigger beyond this burns by its class, and its cascade stops at what is less urgent."""
Key = tuple[int, ...]
"""Parent and channel; or parents of a fusion, what they fuse to, and CHANNELS."""
RESOLUTION = 1e-4
"""MeV: a reaction closer to its threshold than this is marginal already, and no competitor."""
DAUGHTER = CHANNEL_DZ * N_STRIDE - CHANNEL_DZ - CHANNEL_K
"""Code of a channel's daughter less that of its parent."""


class Climate(NamedTuple):
    """Potentials on one side of every step, (steps,), MeV: mu_e with the lattice's share, mu_n counted from m_u."""

    mu_e: np.ndarray
    mu_n: np.ndarray
    ell: np.ndarray


class Margins(NamedTuple):
    """Of one crust."""

    by_nuclide: np.ndarray  # (codes,) MeV: shift of this mass alone that would change the sequence; inf if none
    smallest: float  # MeV
    reaction: str  # the closest competitor, such as 'Mg44+e -> Na42+2n'
    pressure: float  # MeV fm^-3, where
    nuclides: tuple[int, ...]  # codes whose masses enter


class _Decision(NamedTuple):
    key: Key
    distance: float
    codes: tuple[int, ...]
    happens: bool
    then: int  # the channel that goes if it turns out the other way
    end: int = -1  # where a packet of the stock's nuclide would end
    neutral: bool = False  # both ways lead to the same end


class _Stretch(NamedTuple):
    happening: set[Key]
    ways: set[tuple[int, int]]  # parents of triggers, and where their packets end
    at_start: list[_Decision]
    at_end: list[_Decision]
    P: tuple[float, float]


class _Chart:
    """Affinities of all channels."""

    def __init__(self, E: np.ndarray) -> None:
        chart = np.where(np.isfinite(E), E, np.nan).reshape(-1, N_STRIDE)
        self.E = np.where(np.isnan(chart), np.inf, chart)
        self.dE = channel_energies(chart).reshape(CHANNELS, -1)
        Z = np.arange(chart.size) // N_STRIDE
        self.dz53 = np.maximum(Z + CHANNEL_DZ[:, None], 0) ** (5 / 3) - Z ** (5 / 3)

    def affinities(self, code: int, mu_e: float, mu_n: float, ell: float, neutrons: bool) -> np.ndarray:
        """(12,) MeV; infinite where a channel does not exist, or wants neutrons where there are none."""
        g = self.dE[:, code] + CHANNEL_DZ * mu_e + CHANNEL_K * mu_n + self.dz53[:, code] * ell
        return np.where((CHANNEL_CLASS == CAPTURE) & ~neutrons, np.inf, g)


def _most_urgent(g: np.ndarray) -> int:
    """The channel that goes: -1 for none."""
    allowed = g < THRESHOLD
    if not allowed.any():
        return -1
    lowest = CHANNEL_CLASS[allowed].min()
    return int(np.argmin(np.where(allowed & (CHANNEL_CLASS == lowest), g, np.inf)))


def _decisions(code: int, g: np.ndarray, goes: int) -> list[_Decision]:
    """What could change at a nuclide whose channel `goes` (-1: none) is taken."""
    found = []
    for c in np.flatnonzero(np.isfinite(g)):
        codes = (code, int(code + DAUGHTER[c]))
        if c == goes:
            next_best = _most_urgent(np.where(np.arange(CHANNELS) == c, np.inf, g))
            found.append(_Decision((code, int(c)), THRESHOLD - g[c], codes, True, next_best))
        elif goes < 0 or CHANNEL_CLASS[c] < CHANNEL_CLASS[goes]:
            found.append(_Decision((code, int(c)), g[c] - THRESHOLD, codes, False, int(c)))
        elif CHANNEL_CLASS[c] == CHANNEL_CLASS[goes]:
            # the parent's mass enters both
            both = (codes[1], int(code + DAUGHTER[goes]))
            found.append(_Decision((code, int(c)), g[c] - g[goes], both, False, int(c)))
    return found


def _reverse(key: Key) -> Key | None:
    """The reaction that undoes a channel, if it is one."""
    if len(key) > 2:
        return None
    code, c = key
    back = np.flatnonzero((CHANNEL_DZ == -CHANNEL_DZ[c]) & (CHANNEL_K == -CHANNEL_K[c]))
    return (int(code + DAUGHTER[c]), int(back[0])) if back.size else None


def _end_of(code: int, chart: _Chart, where: tuple, first: int = -1) -> int:
    """Where a packet of a nuclide ends by channels, the first of which may be given; itself if it comes back."""
    start = code
    for _ in range(MAX_CASCADE):
        goes = first if first >= 0 else _most_urgent(chart.affinities(code, *where))
        if goes < 0:
            break
        code, first = int(code + DAUGHTER[goes]), -1
        if code == start:
            break
    return code


def _fusion_products(first: int, second: int, chart: _Chart, mu_n: float) -> list[_Decision]:
    """The second best number of neutrons that a fusion might set free."""
    Z, N = first // N_STRIDE + second // N_STRIDE, first % N_STRIDE + second % N_STRIDE
    kept = np.arange(min(N, N_STRIDE - 1) + 1)
    total = chart.E[Z, kept] + (N - kept) * mu_n
    best, other = (int(Z * N_STRIDE + k) for k in np.argsort(total)[:2])
    distance = total[other % N_STRIDE] - total[best % N_STRIDE]
    return [_Decision((first, second, other, CHANNELS), distance, (best, other), False, -1)]


def _cascade(trigger: tuple, net: dict[int, float], chart: _Chart, where: tuple) -> list[tuple[int, np.ndarray, int]]:
    """Nuclides behind a trigger: (code, affinities, channel that goes)."""
    first, second, channel = trigger
    own = np.inf, 0.0
    if channel == CHANNELS:
        code = _fusion_products(first, second, chart, where[1])[0].codes[0]
    else:
        code = int(first + DAUGHTER[channel])
        g = chart.affinities(first, *where)[channel]
        if g < FAR and CHANNEL_K[channel] >= 0:
            own = CHANNEL_CLASS[channel], g
    path: list[tuple[int, np.ndarray, int]] = []
    while code != first and len(path) < MAX_CASCADE:
        g_all = chart.affinities(code, *where)
        goes = _most_urgent(g_all)
        if goes >= 0 and (CHANNEL_CLASS[goes], g_all[goes]) > own:
            goes = -1
        path.append((code, g_all, goes))
        if goes < 0:
            break
        code = int(code + DAUGHTER[goes])
    if net.get(path[-1][0] if path else code, 0.0) <= 0:
        heavy = [k for k, (code, *_) in enumerate(path) if code // N_STRIDE <= pycno.Z_HEAVIEST]
        path = path[: heavy[0]] if heavy else path
    return path


def _look(trigger: tuple, net: dict[int, float], stock: list[int], chart: _Chart, where: tuple) -> list[_Decision]:
    """All decisions at one state."""
    found = []
    first, second, channel = trigger
    for code in stock:
        possible = _decisions(code, chart.affinities(code, *where), -1)
        ends = [_end_of(code, chart, where, x.then) for x in possible]
        found += [x._replace(end=end, neutral=end == code) for x, end in zip(possible, ends, strict=True)]
    if channel == CHANNELS:
        found += _fusion_products(first, second, chart, where[1])
    if channel >= 0:
        for code, g, goes in _cascade(trigger, net, chart, where):
            end = _end_of(code, chart, where, goes) if goes >= 0 else code
            for x in _decisions(code, g, goes):
                other = _end_of(code, chart, where, x.then) if x.then >= 0 else code
                found.append(x._replace(neutral=other == end))
    own = (first, channel)
    return [x for x in found if x.distance > 0 and (x.key != own or x.happens)]


def _stretches(record: Record, chart: _Chart, before: Climate, after: Climate) -> list[_Stretch]:
    r = Record(*(np.asarray(x) for x in record))
    steps = np.flatnonzero(r.amount != PADDING)
    found: list[_Stretch] = []
    burned: set[Key] = set()
    ways: set[tuple[int, int]] = set()
    last: tuple = ()
    for s in steps:
        slides = r.amount[s] == Amount.MARGINAL or r.move[s] == Move.STOCK
        burns = r.move[s] == Move.BURN
        trigger = tuple(map(int, r.trigger[s])) if slides or burns else (-1, -1, -1)
        net = {int(c): v for c, v in zip(r.nuclide[s], np.round(r.net[s], 9), strict=True) if v != 0}
        Y_before, Y_n_before = (r.Y[s - 1], r.Y_n[s - 1]) if s else (r.Y_start, 0.0)

        stocks = [[int(c) for c, y in zip(r.nuclide[s], Y, strict=True) if y > Y_REACTS] for Y in (Y_before, r.Y[s])]
        first, last_ = (
            (float(side.mu_e[s]), float(side.mu_n[s]), float(side.ell[s]), bool(Y_n > 0))
            for side, Y_n in ((before, Y_n_before), (after, r.Y_n[s]))
        )
        at_start = _look(trigger, net, stocks[0], chart, first)
        if 0 <= trigger[2] < CHANNELS:
            ways |= {(trigger[0], _end_of(trigger[0], chart, where, trigger[2])) for where in (first, last_)}
        if burns:
            burned |= {(trigger[0], trigger[2])} | _happening(at_start)
            last = ()
            continue
        P = float(r.P[s])
        at_end = _look(trigger, net, stocks[1], chart, last_)
        if (trigger, net) == last:
            found[-1] = found[-1]._replace(at_end=at_end, P=(found[-1].P[0], P), ways=found[-1].ways | ways)
            continue
        happening = _happening(at_start) | _happening(at_end) | burned | {(trigger[0], trigger[2])}
        found.append(_Stretch(happening, ways, at_start, at_end, (float(r.P[s - 1]) if s else P, P)))
        burned, ways, last = set(), set(), (trigger, net)
    return found


def _happening(decisions: list[_Decision]) -> set[Key]:
    return {x.key for x in decisions if x.happens}


def find_margins(record: Record, E: np.ndarray, before: Climate, after: Climate) -> Margins:
    """The Margins of one crust.

    E: (codes,) its masses, MeV, not finite where there is none; before, after: potentials around every step.
    """
    stretches = _stretches(record, _Chart(np.asarray(E)), before, after)
    by_nuclide = np.full(np.size(E), np.inf)
    closest: tuple[float, _Decision | None, float] = (np.inf, None, np.nan)
    for k, stretch in enumerate(stretches):
        following = stretches[k + 1].happening if k + 1 < len(stretches) else set()
        previous = stretches[k - 1].happening if k else set()
        for decisions, neighbour, P in ((stretch.at_start, previous, 0), (stretch.at_end, following, 1)):
            for x in decisions:
                # the reverse of what is marginal is marginal too
                both = {x.key} if x.happens else {x.key, _reverse(x.key)}
                by_itself = bool(both & neighbour) != x.happens
                if by_itself or (not x.happens and both & stretch.happening):
                    continue
                if (
                    x.distance < RESOLUTION or x.neutral or (x.key[0], x.end) in stretch.ways
                ):  # ways that meet again are one
                    continue
                for code in x.codes:
                    by_nuclide[code] = min(by_nuclide[code], x.distance)
                if x.distance < closest[0]:
                    closest = x.distance, x, stretch.P[P]
    smallest, decision, pressure = closest
    if decision is None:
        return Margins(by_nuclide, np.inf, "", np.nan, ())
    return Margins(by_nuclide, smallest, _label(decision.key), pressure, decision.codes)


def _label(key: Key) -> str:
    if len(key) == 2:
        return reaction_label((key[0], key[0], key[1]))
    return f"{reaction_label((key[0], key[1], CHANNELS))} -> {nuclide_label(key[2])}"
