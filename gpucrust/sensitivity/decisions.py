"""What could go another way at one state of a crust: reactions that could come in, and reactions that could drop out.

A decision is a reaction of a nuclide in the stock, or on the cascade behind a trigger, that could come in (it is not
allowed, or a more urgent one goes first) or could drop out. Its distance is the change of its energy that would do so.

Cascades are followed here by channels only; where one ends in a fusion, its nuclides that may fuse are left out.

Units: MeV; mu_n is counted from m_u. NumPy, for one state at a time.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from gpucrust.nuclide import N_CODES, N_MAX, N_STRIDE, daughter_code, nuclide_code, nuclide_N, nuclide_Z
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
from gpucrust.sensitivity.labels import nuclide_label, reaction_label
from gpucrust.sensitivity.tape import NONE, Reaction

MAX_CASCADE = 60
"""Most reactions of a cascade that are followed: cascades take a few, and one that goes in circles must end."""
FAR = -1e-3
"""Affinity, MeV, below which a trigger is not marginal but burns by its class, so that its cascade stops at what is
less urgent than itself; the engine has the same number for the packets that it follows."""


class ChannelKey(NamedTuple):
    """A reaction that a nuclide makes: a channel, or a fusion with something."""

    first: int
    """Code of the parent; NONE for no reaction."""
    channel: int
    """Channel; CHANNELS for a fusion, NONE for no reaction."""


class ProductKey(NamedTuple):
    """A fusion that makes another nuclide than it does."""

    first: int
    """Code of a parent."""
    second: int
    """Code of the other parent."""
    product: int
    """Code of the nuclide that it might make."""


Key = ChannelKey | ProductKey
"""What tells reactions apart."""


class Surroundings(NamedTuple):
    """What reactions feel of the state of matter."""

    mu_e: float
    """Chemical potential of electrons with the lattice's share, MeV."""
    mu_n: float
    """Chemical potential of free neutrons, counted from m_u, MeV."""
    ell: float
    """Lattice energy per unit of Z^(5/3), MeV."""
    neutrons: bool
    """Whether there are free neutrons to capture."""


class Decision(NamedTuple):
    """A reaction that could come in or drop out."""

    key: Key
    """The reaction."""
    distance: float
    """Change of its energy that would do so, MeV."""
    codes: tuple[int, ...]
    """Codes of the nuclides whose masses enter the distance."""
    happens: bool
    """Whether it happens, and could drop out."""
    then: int
    """Channel that goes if it turns out the other way; NONE for none."""
    end: int = NONE
    """Code of the nuclide at which a packet of the stock's nuclide would then end; NONE on cascades."""
    neutral: bool = False
    """Whether a packet ends at the same nuclide either way."""


class Visit(NamedTuple):
    """A nuclide that a packet comes to."""

    code: int
    """Its code."""
    g: np.ndarray
    """(channels,) affinities there, MeV."""
    goes: int
    """The channel that goes; NONE where the packet ends."""


class Chart:
    """Energies of all channels of all nuclides, for one set of masses."""

    def __init__(self, E: np.ndarray) -> None:
        """E: (codes,) masses, MeV, not finite where there is none."""
        chart = np.where(np.isfinite(E), E, np.nan).reshape(-1, N_STRIDE)
        self.E = np.where(np.isnan(chart), np.inf, chart)
        """(nZ, nN) masses, MeV; infinite where there is none."""
        self.dE = channel_energies(chart).reshape(CHANNELS, -1)
        """(channels, codes) change of energy, MeV; infinite where a mass is missing."""
        Z = nuclide_Z(np.arange(N_CODES))
        self.dz53 = np.maximum(Z + CHANNEL_DZ[:, None], 0) ** (5 / 3) - Z ** (5 / 3)
        """(channels, codes) change of Z^(5/3)."""

    def affinities(self, code: int, here: Surroundings) -> np.ndarray:
        """(channels,) MeV; infinite where a channel does not exist, or wants neutrons where there are none."""
        g = self.dE[:, code] + CHANNEL_DZ * here.mu_e + CHANNEL_K * here.mu_n + self.dz53[:, code] * here.ell
        return np.where((CHANNEL_CLASS == CAPTURE) & (not here.neutrons), np.inf, g)


def daughter_of(code: int, channel: int) -> int:
    """Code of the nuclide that a channel makes."""
    return int(daughter_code(code, CHANNEL_DZ[channel], CHANNEL_K[channel]))


def reverse_of(key: Key) -> ChannelKey | None:
    """The reaction that undoes a channel; None if none does."""
    if isinstance(key, ProductKey):
        return None
    back = np.flatnonzero((CHANNEL_DZ == -CHANNEL_DZ[key.channel]) & (CHANNEL_K == -CHANNEL_K[key.channel]))
    return ChannelKey(daughter_of(*key), int(back[0])) if back.size else None


def key_label(key: Key) -> str:
    """Name of a reaction, such as 'Mg44+e -> Na42+2n'."""
    if isinstance(key, ChannelKey):
        return reaction_label(Reaction(key.first, key.first, key.channel))
    return f"{reaction_label(Reaction(key.first, key.second, CHANNELS))} -> {nuclide_label(key.product)}"


def most_urgent(g: np.ndarray) -> int:
    """The channel that goes at a nuclide, NONE for none; g: (channels,) affinities, MeV.

    Of those allowed the one of the lowest class, and in it of the most negative affinity: the engines' rule
    (`gpucrust.engine.chunk.urgent`).
    """
    allowed = g < THRESHOLD
    if not allowed.any():
        return NONE
    lowest = CHANNEL_CLASS[allowed].min()
    return int(np.argmin(np.where(allowed & (CHANNEL_CLASS == lowest), g, np.inf)))


def decisions_of(visit: Visit) -> list[Decision]:
    """What could change at a nuclide."""
    channels = np.flatnonzero(np.isfinite(visit.g)).tolist()
    return [decision for c in channels if (decision := _decision(visit, c)) is not None]


def _decision(visit: Visit, c: int) -> Decision | None:
    """The decision on a channel that exists; None if a more urgent class goes first."""
    code, g, goes = visit
    key, daughter = ChannelKey(code, c), daughter_of(code, c)
    if c == goes:
        next_best = most_urgent(np.where(np.arange(CHANNELS) == c, np.inf, g))
        return Decision(key, THRESHOLD - g[c], (code, daughter), happens=True, then=next_best)
    if goes == NONE or CHANNEL_CLASS[c] < CHANNEL_CLASS[goes]:
        return Decision(key, g[c] - THRESHOLD, (code, daughter), happens=False, then=c)
    if CHANNEL_CLASS[c] == CHANNEL_CLASS[goes]:
        # the parent's mass enters both
        return Decision(key, g[c] - g[goes], (daughter, daughter_of(code, goes)), happens=False, then=c)
    return None


def end_of(code: int, chart: Chart, here: Surroundings, first: int = NONE) -> int:
    """Where a packet of a nuclide ends by channels, the first of which may be given; itself if it comes back."""
    start = code
    for _ in range(MAX_CASCADE):
        goes = most_urgent(chart.affinities(code, here)) if first == NONE else first
        if goes == NONE:
            break
        code, first = daughter_of(code, goes), NONE
        if code == start:
            break
    return code


def product_decision(first: int, second: int, chart: Chart, here: Surroundings) -> Decision:
    """The second best number of neutrons that a fusion might set free. Its codes: the product, and that other one."""
    Z, N = nuclide_Z(first) + nuclide_Z(second), nuclide_N(first) + nuclide_N(second)
    kept = np.arange(min(N, N_MAX) + 1)
    total = chart.E[Z, kept] + (N - kept) * here.mu_n
    best, other = np.argsort(total)[:2]
    codes = int(nuclide_code(Z, best)), int(nuclide_code(Z, other))
    return Decision(ProductKey(first, second, codes[1]), total[other] - total[best], codes, happens=False, then=NONE)


def cascade(trigger: Reaction, net: Mapping[int, float], chart: Chart, here: Surroundings) -> list[Visit]:
    """Nuclides behind a trigger, with the net of both."""
    code, own = _start_of(trigger, chart, here)
    path: list[Visit] = []
    while code != trigger.first and len(path) < MAX_CASCADE:
        g = chart.affinities(code, here)
        goes = most_urgent(g)
        if goes != NONE and (CHANNEL_CLASS[goes], g[goes]) > own:
            goes = NONE
        path.append(Visit(code, g, goes))
        if goes == NONE:
            break
        code = daughter_of(code, goes)
    last = path[-1].code if path else code
    if net.get(last, 0.0) > 0:
        return path
    # it does not end there in the crust: something before fuses
    fusible = [k for k, visit in enumerate(path) if nuclide_Z(visit.code) <= pycno.Z_HEAVIEST]
    return path[: fusible[0]] if fusible else path


def _start_of(trigger: Reaction, chart: Chart, here: Surroundings) -> tuple[int, tuple[float, float]]:
    """Code of what a trigger makes; class and affinity that what follows must not be less urgent than."""
    if trigger.channel == CHANNELS:
        product, _ = product_decision(trigger.first, trigger.second, chart, here).codes
        return product, (np.inf, 0.0)
    g = chart.affinities(trigger.first, here)[trigger.channel]
    burns = g < FAR and CHANNEL_K[trigger.channel] >= 0
    own = (CHANNEL_CLASS[trigger.channel], g) if burns else (np.inf, 0.0)
    return daughter_of(trigger.first, trigger.channel), own


def decisions_at(
    trigger: Reaction, net: Mapping[int, float], stock: Iterable[int], chart: Chart, here: Surroundings
) -> list[Decision]:
    """All decisions at one state. trigger: none if its channel is NONE; stock: codes of the nuclides there are."""
    found = [x for code in stock for x in _in_stock(code, chart, here)]
    if trigger.channel == CHANNELS:
        found.append(product_decision(trigger.first, trigger.second, chart, here))
    if trigger.channel != NONE:
        found += [x for visit in cascade(trigger, net, chart, here) for x in _on_cascade(visit, chart, here)]
    own = ChannelKey(trigger.first, trigger.channel)
    return [x for x in found if x.distance > 0 and (x.key != own or x.happens)]


def _in_stock(code: int, chart: Chart, here: Surroundings) -> Iterable[Decision]:
    """Decisions on a nuclide of the stock, which rests."""
    for x in decisions_of(Visit(code, chart.affinities(code, here), NONE)):
        end = end_of(code, chart, here, x.then)
        yield x._replace(end=end, neutral=end == code)


def _on_cascade(visit: Visit, chart: Chart, here: Surroundings) -> Iterable[Decision]:
    """Decisions on a nuclide that a packet comes to."""

    def end(first: int) -> int:
        return visit.code if first == NONE else end_of(visit.code, chart, here, first)

    as_it_is = end(visit.goes)
    for x in decisions_of(visit):
        yield x._replace(neutral=end(x.then) == as_it_is)
