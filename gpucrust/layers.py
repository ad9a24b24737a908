"""Where diffusion equilibrium breaks: the slope of mu_e(P), its regimes, and layers of one regime (CS20 section 3).

The stepped profile is a sawtooth: chunks of a parent convert at a threshold, mu_e falls a little, pressure rises to
the threshold again. The teeth shrink with the chunk, but differences of the sawtooth do not converge. What does: at
every threshold of a segment (burns set off by one reaction) mu_e lies on the curve on which that reaction is marginal,
whatever the chunk. So mu_e(P) is put together from pieces, curves through the thresholds of a segment, and curves at
frozen composition between segments; its slopes are differences along a piece, never across two.
"""

import itertools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from gpucrust.constants import DYN_PER_CM2
from gpucrust.stepper import SEGMENT

BOUNDS = DECREASING, FLAT, STEEP = -1e-4, 0.5, 1.5
"""Bounds of R, the slope dmu_e/dP over that of diffusion equilibrium (eq. 7). That between flat and decreasing is zero
less what rounding makes of it: R is exactly zero along the capture of an electron that sets no neutron free."""
BAND = 0.02
"""How far R must go over a bound to count: R is known to a few 1e-3 at the default chunk."""
CLOSE = 1e-7
"""Points of a curve closer than this in ln P are one: their difference would be rounding."""
LEAST_JUMP = 1e-6
"""MeV; where there are no free neutrons and no lattice, mu_e is a function of P, and its jumps are rounding."""
SLIDE_JUMP = 0.01
"""MeV; less is the depth beyond its threshold in which a move of the slide engine may end."""
TOOTH = 2.0
"""Where mu_e rises between two segments by less than this many times the fall of the burn before, the rise is one
more tooth of the saw, and one segment takes over from the other without a frozen stretch between them."""


class Regime(IntEnum):
    """Kinds of slope: equilibrium 0.5 <= R <= 1.5, decreasing R < 0, flat 0 <= R < 0.5, steep R > 1.5."""

    EQUILIBRIUM = 0
    DECREASING = 1
    FLAT = 2
    STEEP = 3


_BETWEEN = {
    frozenset((int(Regime.DECREASING), int(Regime.FLAT))): DECREASING,
    frozenset((int(Regime.FLAT), int(Regime.EQUILIBRIUM))): FLAT,
    frozenset((int(Regime.EQUILIBRIUM), int(Regime.STEEP))): STEEP,
}


@dataclass(frozen=True)
class Piece:
    """mu_e along a stretch of one crust, in increasing pressure; or a jump, two points of one pressure."""

    P: np.ndarray  # dyn cm^-2
    mu_e: np.ndarray  # MeV
    sliding: bool  # along one marginal reaction, else at frozen composition

    @property
    def jump(self) -> bool:
        """A finite part of the crust converts at one pressure."""
        return bool(self.P[0] == self.P[-1])


@dataclass(frozen=True)
class Layers:
    """Stretches of one regime of one crust, neighbours differ; arrays (layers,)."""

    regime: np.ndarray
    P_start: np.ndarray  # dyn cm^-2
    P_end: np.ndarray


def regime_of(R: np.ndarray) -> np.ndarray:
    """Regime of equilibrium ratios, int8; not-a-number counts as equilibrium."""
    R = np.asarray(R)
    kinds = [(R < DECREASING, Regime.DECREASING), (R < FLAT, Regime.FLAT), (R > STEEP, Regime.STEEP)]
    return np.select([mask for mask, _ in kinds], [int(kind) for _, kind in kinds], int(Regime.EQUILIBRIUM)).astype(
        np.int8
    )


@dataclass
class _Slide:
    """Segments joined: one sliding stretch of a crust, with the points of its curve."""

    label: tuple[float, ...]  # parents and channel
    P: list[float]  # dyn cm^-2
    mu_e: list[float]  # MeV
    mu_after: float  # after the last burn

    @property
    def tooth(self) -> float:
        """Fall of mu_e in the last burn, MeV."""
        return self.mu_e[-1] - self.mu_after


def slides_of(profile: dict[str, np.ndarray], segments: np.ndarray) -> list[_Slide]:
    """Segments with their recorded thresholds, without single burns of another reaction in a tooth of theirs."""
    slides: list[_Slide] = []
    for i, row in enumerate(segments[~np.isnan(segments[:, 0])]):
        end = dict(zip(SEGMENT, row, strict=True))
        own = (profile["segment"] == i) & (profile["P_threshold"] < end["P_end"])
        now = _Slide(
            label=(end["nuclide"], end["second_nuclide"], end["channel"]),
            P=[x * DYN_PER_CM2 for x in (end["P_start"], *profile["P_threshold"][own], end["P_end"])],
            mu_e=[end["mu_e_start"], *profile["mu_e_threshold"][own], end["mu_e_end"]],
            mu_after=end["mu_e_after"],
        )
        if len(slides) > 1 and slides[-2].label == now.label:
            before, intruder = slides[-2:]
            teeth = before.tooth + intruder.tooth
            brief = abs(intruder.mu_e[-1] - intruder.mu_e[0]) <= teeth
            if brief and now.mu_e[0] - intruder.mu_after <= TOOTH * teeth:
                slides.pop()
                before.P += now.P
                before.mu_e += now.mu_e
                before.mu_after = now.mu_after
                continue
        slides.append(now)
    return slides


def pieces_of(
    pressures: np.ndarray, mu_e: np.ndarray, profile: dict[str, np.ndarray], segments: np.ndarray
) -> list[Piece]:
    """The pieces of one crust; between two sliding ones a tooth may be left out.

    pressures, dyn cm^-2, and mu_e, MeV: (n,) recorded; profile: the columns `segment`, `P_threshold` (MeV fm^-3) and
    `mu_e_threshold` of the record, (n,); segments: (m, len(SEGMENT)), NaN beyond the last.
    """
    pieces: list[Piece] = []
    since, mu_since, tooth = pressures[0], mu_e[0], 0.0
    for slide in slides_of(profile, segments):
        if slide.mu_e[0] - mu_since > TOOTH * tooth or not pieces:
            between = (pressures > since) & (pressures < slide.P[0])
            frozen_P = [since, *pressures[between], slide.P[0]]
            pieces.append(_piece(frozen_P, [mu_since, *mu_e[between], slide.mu_e[0]], sliding=False))
        pieces.append(_piece(slide.P, slide.mu_e, sliding=True))
        since, mu_since, tooth = slide.P[-1], slide.mu_after, slide.tooth
    after = pressures > since
    pieces.append(_piece([since, *pressures[after]], [mu_since, *mu_e[after]], sliding=False))
    return [piece for piece in pieces if len(piece.P) > 1]


def pieces_of_slides(pressures: np.ndarray, mu_e: np.ndarray, segments: np.ndarray) -> list[Piece]:
    """The pieces of a crust of the slide engine: its segments follow each other, one slider (or none) each.

    Where mu_e falls at one pressure from the end of a segment to the start of the next, there is a jump between them.
    Arguments as of `pieces_of`.
    """
    pieces: list[Piece] = []
    for row in segments[~np.isnan(segments[:, 0])]:
        segment = dict(zip(SEGMENT, row, strict=True))
        start, end = segment["P_start"] * DYN_PER_CM2, segment["P_end"] * DYN_PER_CM2
        if pieces and pieces[-1].mu_e[-1] - segment["mu_e_start"] > SLIDE_JUMP:
            pieces.append(
                Piece(np.array([start, start]), np.array([pieces[-1].mu_e[-1], segment["mu_e_start"]]), False)
            )
        inside = (pressures > start) & (pressures < end)
        P = [start, *pressures[inside], end]
        mu = [segment["mu_e_start"], *mu_e[inside], segment["mu_e_end"]]
        pieces.append(_piece(P, mu, sliding=segment["channel"] >= 0))
    return [piece for piece in pieces if len(piece.P) > 1]


def pieces_between_jumps(pressures: np.ndarray, mu_e: np.ndarray, segments: np.ndarray) -> list[Piece]:
    """The pieces of a crust of one component: composition is frozen between jumps. Arguments as of `pieces_of`."""
    pieces: list[Piece] = []
    since, mu_since = pressures[0], mu_e[0]
    for row in segments[~np.isnan(segments[:, 0])]:
        event = dict(zip(SEGMENT, row, strict=True))
        P, before, after = event["P_end"] * DYN_PER_CM2, event["mu_e_end"], event["mu_e_after"]
        between = (pressures > since) & (pressures < P)
        pieces.append(_piece([since, *pressures[between], P], [mu_since, *mu_e[between], before], sliding=False))
        if before - after > LEAST_JUMP:
            pieces.append(Piece(np.array([P, P]), np.array([before, after]), sliding=False))
        since, mu_since = P, after
    beyond = pressures > since
    pieces.append(_piece([since, *pressures[beyond]], [mu_since, *mu_e[beyond]], sliding=False))
    return [piece for piece in pieces if len(piece.P) > 1]


def _piece(P: list[float], mu_e: list[float], *, sliding: bool) -> Piece:
    """A piece without points that coincide; the last point stays."""
    P_points, mu_points = np.array(P), np.array(mu_e)
    apart = np.diff(np.log(P_points), append=np.inf) > CLOSE
    return Piece(P_points[apart], mu_points[apart], sliding)


def ratios_along(piece: Piece, pressures: np.ndarray, nodiff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R at the middles (in ln P) of a piece's intervals: (P, R), P in dyn cm^-2.

    nodiff: slope of diffusion equilibrium at `pressures`, MeV/(dyn cm^-2). It is taken from recorded points within
    the piece where there are any, because composition jumps at the ends of pieces.
    """
    middle = np.sqrt(piece.P[1:] * piece.P[:-1])
    slope = np.diff(piece.mu_e) / np.diff(piece.P)
    within = (pressures >= piece.P[0]) & (pressures <= piece.P[-1])
    known = within if np.any(within) else np.ones_like(within)
    # n dmu/dP varies slowly: interpolate slope times pressure
    scaled = np.interp(np.log(middle), np.log(pressures[known]), (nodiff * pressures)[known])
    return middle, slope * middle / scaled


def equilibrium_ratio_profile(
    pieces: list[Piece], pressures: np.ndarray, nodiff: np.ndarray, frozen: np.ndarray
) -> np.ndarray:
    """R at the recorded pressures, (n,): along the marginal reaction where one is, else `frozen` over `nodiff`.

    frozen, nodiff: slopes at frozen composition and in diffusion equilibrium, MeV/(dyn cm^-2), (n,).
    """
    R = frozen / nodiff
    begins = [piece.P[0] for piece in pieces[1:]] + [np.inf]
    for piece, next_begins in zip(pieces, begins, strict=True):
        if piece.sliding:
            inside = (pressures >= piece.P[0]) & (pressures < next_begins)
            middle, ratio = ratios_along(piece, pressures, nodiff)
            R[inside] = np.interp(np.log(pressures[inside]), np.log(middle), ratio)
    return R


def find_layers(pieces: list[Piece], pressures: np.ndarray, nodiff: np.ndarray) -> Layers:
    """All stretches of one regime, equilibrium included, in increasing pressure.

    Along a piece R is interpolated between the middles of its intervals, so that boundaries do not stick to the
    recorded pressures. An excursion over a bound and back that goes no further than BAND does not count. A jump is a
    decreasing layer that begins and ends at one pressure.
    """
    starts: list[float] = []
    kinds: list[int] = []
    low: list[float] = []  # least and largest R of each stretch
    high: list[float] = []
    for piece in pieces:
        if piece.jump:
            starts.append(float(piece.P[0]))
            kinds.append(int(Regime.DECREASING))
            low.append(-np.inf)
            high.append(-np.inf)
            continue
        middle, ratio = ratios_along(piece, pressures, nodiff)
        x = np.log(np.concatenate([piece.P[:1], middle, piece.P[-1:]]))
        R = np.concatenate([ratio[:1], ratio, ratio[-1:]])
        edges = [x[0], x[-1]]
        for bound in BOUNDS:
            crosses = np.flatnonzero((R[1:] < bound) != (R[:-1] < bound))
            edges += list(x[crosses] + (bound - R[crosses]) / (R[crosses + 1] - R[crosses]) * np.diff(x)[crosses])
        for left, right in itertools.pairwise(sorted(edges)):
            inside = np.interp([left, (left + right) / 2, right], x, R)
            inside = np.concatenate([inside, R[(x > left) & (x < right)]])
            starts.append(float(piece.P[0] if left == x[0] else np.exp(left)))
            kinds.append(int(regime_of(inside[1])))
            low.append(float(inside.min()))
            high.append(float(inside.max()))
    kind = np.array(kinds)
    for i in range(1, len(kind) - 1):
        between = _BETWEEN.get(frozenset((int(kind[i - 1]), int(kind[i]))))
        if kind[i - 1] == kind[i + 1] and between is not None and max(high[i] - between, between - low[i]) < BAND:
            kind[i] = kind[i - 1]
    changes = np.flatnonzero(np.append(True, np.diff(kind) != 0))
    begin = np.array(starts)[changes]
    return Layers(kind[changes].astype(np.int8), begin, np.append(begin[1:], pressures[-1]))


def depth_times_g(pressures: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """integral dP/rho from the first pressure, cm^2 s^-2: (n,). Over g it is the depth in cm."""
    ln_P = np.log(pressures)
    integrand = pressures / rho
    return np.concatenate([[0.0], np.cumsum((integrand[1:] + integrand[:-1]) / 2 * np.diff(ln_P))])


def thickness_times_g(layers: Layers, pressures: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """integral dP/rho over each layer, cm^2 s^-2: (layers,). Over g it is the thickness in cm."""
    depth = depth_times_g(pressures, rho)
    at_start, at_end = (np.interp(np.log(P), np.log(pressures), depth) for P in (layers.P_start, layers.P_end))
    return at_end - at_start
