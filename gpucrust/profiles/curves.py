"""Curves mu_e(P) of many crusts, put together from what their engine recorded.

A crust of the chunk engine is a sawtooth: chunks of a parent convert at a threshold, mu_e falls a little, pressure
rises to the threshold again. The teeth shrink with the chunk, but differences of the sawtooth do not converge. What
does: at every threshold of a segment (burns set off by one reaction) mu_e lies on the curve on which that reaction is
marginal, whatever the chunk. So mu_e(P) is put together from pieces, curves through the thresholds of a segment, and
curves at frozen composition between segments; its slopes are differences along a piece, never across two. The slide
engine's segments are such pieces themselves.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.interface import SegmentRow, Segments
from gpucrust.profiles.ragged import counted

LEAST_INTERVAL = 1e-7
"""Distance in ln P below which two points of a curve are one: their difference in mu_e would be rounding."""
LEAST_JUMP = 1e-6
"""Fall of mu_e at one pressure, MeV, below which it is no jump but rounding: where there are neither free neutrons nor
a lattice, mu_e is a function of P."""
SLIDE_JUMP = 0.03
"""Fall of mu_e at one pressure, MeV, below which the slide engine has no jump: a nuclide that it has made may fuse with
others at the end of a move, and as little as that burns."""
BRIEF = 0.25
"""Length of a segment of the slide engine, over that of the two beside it together, up to which it is no piece of its
own, if those two are of one reaction and mu_e falls before or after it: the two reactions go on together, by turns at
every move, and mu_e is a saw whose teeth are as long as moves."""
TOOTH = 2.0
"""Rise of mu_e between two segments of the chunk engine, over the fall of mu_e in the burn before, up to which the rise
is one more tooth of the saw: one segment takes over from the other, without a stretch of frozen composition between."""


@dataclass(frozen=True)
class Pieces:
    """Smooth pieces of the curves mu_e(P) of many crusts, in increasing pressure, crust after crust; none is without.

    From one piece to the next another reaction is marginal, or none, and so the slope of mu_e is another. A jump is a
    piece of two points of one pressure: a finite part of the crust converts there.
    """

    P: np.ndarray
    """(points,) pressure, dyn cm^-2."""
    mu_e: np.ndarray
    """(points,) electron chemical potential, MeV."""
    count: np.ndarray
    """(pieces,) points of each, at least two."""
    crust: np.ndarray
    """(pieces,) number of the crust that each belongs to, increasing."""
    sliding: np.ndarray
    """(pieces,) whether it goes along one marginal reaction; else composition is frozen."""

    @property
    def first(self) -> np.ndarray:
        """(pieces,) first point of each."""
        return np.cumsum(self.count) - self.count

    @property
    def last(self) -> np.ndarray:
        """(pieces,) last point of each."""
        return np.cumsum(self.count) - 1


def join_pieces(parts: Iterable[tuple[int, Sequence[float], Sequence[float], bool]]) -> Pieces:
    """Pieces from (crust, P, mu_e, sliding) each; those of no extent are left out."""
    crust, P, mu_e, sliding = zip(*parts, strict=True)
    count = np.array([len(x) for x in P])
    return _without_close(
        np.concatenate(P), np.concatenate(mu_e), count, np.array(crust), np.array(sliding), np.zeros(len(count), bool)
    )


def _without_close(
    P: np.ndarray, mu_e: np.ndarray, count: np.ndarray, crust: np.ndarray, sliding: np.ndarray, jump: np.ndarray
) -> Pieces:
    """Pieces of two points or more, without points that coincide: the last of a piece stays, and both of a jump."""
    piece = np.repeat(np.arange(len(count)), count)
    kept = np.append(np.diff(np.log(P)), np.inf) > LEAST_INTERVAL
    kept[np.flatnonzero(np.append(np.diff(piece), 1))] = True
    kept |= jump[piece]
    count = np.bincount(piece[kept], minlength=len(count))
    extended = count > 1
    kept &= extended[piece]
    return Pieces(P[kept], mu_e[kept], count[extended], crust[extended], sliding[extended])


@dataclass(frozen=True)
class _Stretches:
    """Curves between two points each, (stretches,), following each other; between them are the recorded pressures."""

    crust: np.ndarray
    P_start: np.ndarray  # dyn cm^-2
    mu_start: np.ndarray  # MeV
    P_end: np.ndarray
    mu_end: np.ndarray
    sliding: np.ndarray
    joined: np.ndarray  # to the one before, of whose piece its end is one more point


def _fill(stretches: _Stretches, pressures: np.ndarray, mu_e: np.ndarray, least_jump: float) -> Pieces:
    """The pieces of stretches, with a jump wherever mu_e falls by more than least_jump from one to the next."""
    s = stretches
    jump = np.append(False, (np.diff(s.crust) == 0) & (s.mu_end[:-1] - s.mu_start[1:] > least_jump)) & ~s.joined
    begin = np.searchsorted(pressures, s.P_start, side="right")
    inside = np.where(s.joined, 0, np.maximum(np.searchsorted(pressures, s.P_end) - begin, 0))
    count = np.stack([2 * jump, inside + 2 - s.joined], axis=1).ravel()  # a jump and a stretch by turns
    last = np.cumsum(count) - 1
    P, mu = np.empty(count.sum()), np.empty(count.sum())
    alone = ~s.joined
    fall, start, end = last[::2][jump], (last[1::2] - inside - 1)[alone], last[1::2]
    P[fall - 1], mu[fall - 1] = s.P_start[jump], s.mu_end[np.flatnonzero(jump) - 1]
    P[fall], mu[fall] = s.P_start[jump], s.mu_start[jump]
    P[start], mu[start] = s.P_start[alone], s.mu_start[alone]
    P[end], mu[end] = s.P_end, s.mu_end
    point = np.repeat(end - inside, inside) + counted(inside)
    recorded = np.repeat(begin, inside) + counted(inside)
    P[point], mu[point] = pressures[recorded], mu_e[np.repeat(s.crust, inside), recorded]

    begins = np.repeat(alone, 2)  # before a joined one there is no jump

    def by_turns(of_jumps: np.ndarray, of_stretches: np.ndarray) -> np.ndarray:
        return np.stack([of_jumps, of_stretches], axis=1).ravel()[begins]

    never = np.zeros_like(jump)
    whole = np.add.reduceat(count, np.flatnonzero(begins))
    crust = np.repeat(s.crust, 2)[begins]
    return _without_close(P, mu, whole, crust, by_turns(never, s.sliding), by_turns(jump, never))


def _columns(segments: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Crust and columns by name of all segments, P in dyn cm^-2. segments: as of `pieces_of_slides`."""
    crust, row = np.nonzero(~np.isnan(segments[..., 0]))
    columns = dict(zip(SegmentRow._fields, segments[crust, row].T, strict=True))
    return crust, columns | {name: columns[name] * DYN_PER_CM2 for name in ("P_start", "P_end")}


def pieces_of_slides(
    pressures: np.ndarray, mu_e: np.ndarray, segments: np.ndarray, profiles: Mapping[str, np.ndarray] | None = None
) -> Pieces:
    """The pieces of crusts of the slide engine: their segments follow each other, one slider (or none) each.

    Where mu_e falls at one pressure from the end of a segment to the start of the next, there is a jump between them.
    Segments of one reaction are one piece where only a brief one of another lies between (BRIEF): a curve through the
    ends of the teeth.
    pressures, dyn cm^-2: (n,) recorded; mu_e, MeV: (crusts, n); segments: (crusts, m, columns), NaN beyond the
    last of a crust.
    """
    crust, s = _columns(segments)
    brief = _brief(crust, s)
    kept = ~brief
    joined = np.append(False, brief[:-1])
    columns = crust, s["P_start"], s["mu_e_start"], s["P_end"], s["mu_e_end"], s["channel"] >= 0, joined
    return _fill(_Stretches(*(x[kept] for x in columns)), pressures, mu_e, SLIDE_JUMP)


def _brief(crust: np.ndarray, s: Mapping[str, np.ndarray]) -> np.ndarray:
    """Segments that are a tooth between two of one other reaction, (segments,); never two in a row."""
    brief = np.zeros(len(crust), bool)
    before, own, after = slice(None, -2), slice(1, -1), slice(2, None)
    same = (crust[before] == crust[after]) & (s["channel"][before] >= 0)
    for name in ("nuclide", "second_nuclide", "channel", "k"):
        same &= s[name][before] == s[name][after]
    length = np.log(s["P_end"] / s["P_start"])
    falls = np.stack([s["mu_e_end"][a] - s["mu_e_start"][b] for a, b in ((before, own), (own, after))])
    tooth = (falls.max(axis=0, initial=0.0) > LEAST_JUMP) & np.all(falls <= SLIDE_JUMP, axis=0)
    brief[own] = same & tooth & (length[own] <= BRIEF * (length[before] + length[after]))
    brief[1:] &= ~brief[:-1]
    return brief


def pieces_between_jumps(
    pressures: np.ndarray, mu_e: np.ndarray, segments: np.ndarray, profiles: Mapping[str, np.ndarray] | None = None
) -> Pieces:
    """The pieces of crusts of one component: composition is frozen between jumps, which are the segments.

    Arguments as of `pieces_of_slides`.
    """
    crust, s = _columns(segments)
    everyone = np.arange(len(mu_e))
    top, bottom = np.full(len(mu_e), pressures[0]), np.full(len(mu_e), pressures[-1])
    # a stretch ends at each jump, and one at the last pressure; one begins at the first pressure, and at each jump
    ends = np.argsort(np.append(crust, everyone), kind="stable")
    begins = np.argsort(np.append(everyone, crust), kind="stable")
    stretches = _Stretches(
        crust=np.append(crust, everyone)[ends],
        P_start=np.append(top, s["P_end"])[begins],
        mu_start=np.append(mu_e[:, 0], s["mu_e_after"])[begins],
        P_end=np.append(s["P_end"], bottom)[ends],
        mu_end=np.append(s["mu_e_end"], mu_e[:, -1])[ends],
        sliding=np.zeros(len(ends), bool),
        joined=np.zeros(len(ends), bool),
    )
    return _fill(stretches, pressures, mu_e, LEAST_JUMP)


# --- the chunk engine


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


def _slides_of(profile: dict[str, np.ndarray], segments: np.ndarray) -> list[_Slide]:
    """Segments with their recorded thresholds, without single burns of another reaction in a tooth of theirs."""
    slides: list[_Slide] = []
    for i, row in enumerate(segments[~np.isnan(segments[:, 0])]):
        end = dict(zip(SegmentRow._fields, row, strict=True))
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


def pieces_of_teeth(
    pressures: np.ndarray, mu_e: np.ndarray, segments: np.ndarray, profiles: Mapping[str, np.ndarray]
) -> Pieces:
    """The pieces of crusts of the chunk engine; between two sliding ones a tooth may be left out.

    profiles: the columns `segment`, `P_threshold` (MeV fm^-3) and `mu_e_threshold` of `ProfileRow`, (crusts, n). Other
    arguments as of `pieces_of_slides`.
    """
    parts: list[tuple[int, list[float], list[float], bool]] = []
    for crust, recorded in enumerate(mu_e):
        since, mu_since, tooth = pressures[0], recorded[0], 0.0
        own = {name: profiles[name][crust] for name in ("segment", "P_threshold", "mu_e_threshold")}
        for i, slide in enumerate(_slides_of(own, segments[crust])):
            if slide.mu_e[0] - mu_since > TOOTH * tooth or i == 0:
                between = (pressures > since) & (pressures < slide.P[0])
                P = [since, *pressures[between], slide.P[0]]
                parts.append((crust, P, [mu_since, *recorded[between], slide.mu_e[0]], False))
            parts.append((crust, slide.P, slide.mu_e, True))
            since, mu_since, tooth = slide.P[-1], slide.mu_after, slide.tooth
        after = pressures > since
        parts.append((crust, [since, *pressures[after]], [mu_since, *recorded[after]], False))
    return join_pieces(parts)


PIECES_OF: Mapping[Segments, Callable[..., Pieces]] = {
    Segments.SLIDES: pieces_of_slides,
    Segments.TEETH: pieces_of_teeth,
    Segments.JUMPS: pieces_between_jumps,
}
"""How mu_e(P) is put together, by what an engine's segments are: functions of (pressures, mu_e, segments, profiles)."""
