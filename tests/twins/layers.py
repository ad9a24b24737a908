"""Pieces, R and layers of one crust as their definitions read, in loops; `profiles.layers` takes many at once."""

import itertools

import numpy as np

from gpucrust.constants import DYN_PER_CM2
from gpucrust.engine.interface import SegmentRow
from gpucrust.profiles.curves import BRIEF, LEAST_INTERVAL, LEAST_JUMP, SLIDE_JUMP
from gpucrust.profiles.layers import BAND, BOUNDS
from gpucrust.schema import Regime


def pieces_of_slides(pressures, mu_e, segments):
    """(P, mu_e, sliding) of each segment, and a jump of two points of one pressure wherever mu_e falls between two.

    A brief segment between two of one reaction, with a tooth of mu_e beside it, is left out, and those are one piece: a
    curve through the ends of the teeth.
    """
    pieces, before, join = [], None, False
    rows = [dict(zip(SegmentRow._fields, row, strict=True)) for row in segments[~np.isnan(segments[:, 0])]]
    left_out = set()
    for i in range(1, len(rows) - 1):
        a, b, c = rows[i - 1 : i + 2]
        labels = [tuple(x[name] for name in ("nuclide", "second_nuclide", "channel", "k")) for x in (a, c)]
        falls = [a["mu_e_end"] - b["mu_e_start"], b["mu_e_end"] - c["mu_e_start"]]
        lengths = [np.log(x["P_end"] / x["P_start"]) for x in (a, b, c)]
        tooth = a["channel"] >= 0 and LEAST_JUMP < max(falls) <= SLIDE_JUMP
        if tooth and labels[0] == labels[1] and lengths[1] <= BRIEF * (lengths[0] + lengths[2]):
            left_out.add(i)
    left_out -= {i for i in left_out if i - 1 in left_out}
    for i, s in enumerate(rows):
        if i in left_out:
            join = True
            continue
        start, end = s["P_start"] * DYN_PER_CM2, s["P_end"] * DYN_PER_CM2
        if before is not None and not join and before - s["mu_e_start"] > SLIDE_JUMP:
            pieces.append(([(start, before), (start, s["mu_e_start"])], None))  # a jump
        points = [(start, s["mu_e_start"])]
        points += [(P, mu) for P, mu in zip(pressures, mu_e, strict=True) if start < P < end]
        points += [(end, s["mu_e_end"])]
        if join:
            pieces[-1] = (pieces[-1][0] + points[-1:], True)
        else:
            pieces.append((points, s["channel"] >= 0))
        before, join = s["mu_e_end"], False
    return [piece for points, sliding in pieces for piece in _curve(points, sliding)]


def _curve(points, sliding):
    """[(P, mu_e, sliding)] of points, or nothing where they are one; the two of a jump (sliding None) stay."""
    if sliding is not None:
        # of points that coincide the last stays
        points = [
            p for p, q in itertools.pairwise([*points, (np.inf, 0)]) if np.log(q[0]) - np.log(p[0]) > LEAST_INTERVAL
        ]
    return [(*map(np.array, zip(*points, strict=True)), bool(sliding))] if len(points) > 1 else []


def ratio_along(P, mu_e, pressures, nodiff):
    """ln P and R at the middles of the intervals of a piece."""
    middle = np.sqrt(P[1:] * P[:-1])
    known = (pressures >= P[0]) & (pressures <= P[-1])
    known = known if known.any() else ~known
    scaled = np.interp(np.log(middle), np.log(pressures[known]), (nodiff * pressures)[known])
    return np.log(middle), np.diff(mu_e) / np.diff(P) * middle / scaled


def ratio_profile(pieces, pressures, nodiff, frozen_ratio):
    """R at the recorded pressures."""
    R = frozen_ratio.copy()
    ends = [P[0] for P, _, _ in pieces[1:]] + [np.inf]
    for (P, mu_e, sliding), end in zip(pieces, ends, strict=True):
        inside = (pressures >= P[0]) & (pressures < end)
        if sliding:
            R[inside] = np.interp(np.log(pressures[inside]), *ratio_along(P, mu_e, pressures, nodiff))
    return R


def layers(pieces, pressures, nodiff):
    """(regime, P at the start, P at the end) of all stretches of one regime."""
    stretches = []  # P at the start, regime, least and largest R
    for P, mu_e, _ in pieces:
        if P[0] == P[-1]:
            stretches.append([P[0], Regime.DECREASING, -np.inf, -np.inf])
            continue
        x, R = ratio_along(P, mu_e, pressures, nodiff)
        x, R = np.array([np.log(P[0]), *x, np.log(P[-1])]), np.array([R[0], *R, R[-1]])
        edges = {x[0], x[-1]}
        for bound, i in itertools.product(BOUNDS, range(len(x) - 1)):
            if (R[i] < bound) != (R[i + 1] < bound):
                edges.add(x[i] + (bound - R[i]) / (R[i + 1] - R[i]) * (x[i + 1] - x[i]))
        for left, right in itertools.pairwise(sorted(edges)):
            middle = np.interp((left + right) / 2, x, R)
            kind = [Regime.DECREASING, Regime.FLAT, Regime.EQUILIBRIUM, Regime.STEEP][sum(middle > b for b in BOUNDS)]
            inside = np.append(np.interp([left, right], x, R), R[(x > left) & (x < right)])
            stretches.append([P[0] if left == x[0] else np.exp(left), kind, inside.min(), inside.max()])
    order = [Regime.DECREASING, Regime.FLAT, Regime.EQUILIBRIUM, Regime.STEEP]
    for before, own, after in zip(stretches, stretches[1:], stretches[2:], strict=False):
        if before[1] == after[1] and abs(order.index(own[1]) - order.index(before[1])) == 1:
            bound = BOUNDS[min(order.index(own[1]), order.index(before[1]))]
            if own[3] - bound < BAND and bound - own[2] < BAND:
                own[1] = before[1]
    groups = [next(group) for _, group in itertools.groupby(stretches, key=lambda s: s[1])]
    starts = [start for start, *_ in groups]
    return [kind for _, kind, *_ in groups], starts, [*starts[1:], pressures[-1]]
