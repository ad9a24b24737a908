"""How far the sequence of a crust is from another one: the smallest mass shift that would change it.

The sequence is cut into *stretches*, along which one net goes (or nothing), with the burns before. What could go
another way is looked for at the start and at the end of each (`decisions`). Where a reaction opens or closes by itself
at an end of the stretch, because the next or the previous stretch has it the other way, the distance there does not
count: a shift moves that end, and the sequence stays.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from gpucrust.engine.interface import Y_REACTS
from gpucrust.engine.slide.record import Amount, Move
from gpucrust.physics.potentials import Potentials
from gpucrust.physics.reactions import CHANNELS
from gpucrust.sensitivity.decisions import (
    ChannelKey,
    Chart,
    Decision,
    Key,
    Surroundings,
    decisions_at,
    end_of,
    key_label,
    reverse_of,
)
from gpucrust.sensitivity.tape import NONE, PADDING, Reaction, Tape, net_by_code

RESOLUTION = 1e-4
"""Distance, MeV, below which a reaction is marginal already and no competitor."""


class Margins(NamedTuple):
    """How far one crust is from another sequence."""

    by_nuclide: np.ndarray
    """(codes,) shift of each mass alone that would change the sequence, MeV; infinite if none would."""
    smallest: float
    """The smallest of them, MeV."""
    reaction: str
    """Name of the closest competitor, such as 'Mg44+e -> Na42+2n'; empty if there is none."""
    pressure: float
    """Pressure at which it competes, MeV fm^-3; not a number if there is none."""
    nuclides: tuple[int, ...]
    """Codes of the nuclides whose masses decide it."""


class Way(NamedTuple):
    """What becomes of a packet."""

    first: int
    """Code of the nuclide that it begins with."""
    end: int
    """Code of the nuclide that it ends with."""


class _Look(NamedTuple):
    """What one side of a step is like."""

    stock: list[int]
    """Codes of the nuclides there are."""
    here: Surroundings
    """What reactions feel."""
    P: float
    """Pressure, MeV fm^-3."""


class _Step(NamedTuple):
    """What one step does, and where."""

    trigger: Reaction
    """The reaction that goes; NONE in all fields if none does."""
    net: dict[int, float]
    """Its net, by code."""
    burns: bool
    """Whether it happens at constant pressure."""
    start: _Look
    end: _Look


class _Stretch(NamedTuple):
    """Steps along which one net goes."""

    happening: set[Key]
    """Reactions that happen in it, and in the burns before it."""
    ways: set[Way]
    """What becomes of packets of the triggers' parents."""
    at_start: list[Decision]
    """What could go another way where it begins."""
    at_end: list[Decision]
    """What could go another way where it ends."""
    P_start: float
    """Pressure where it begins, MeV fm^-3."""
    P_end: float
    """Pressure where it ends, MeV fm^-3."""


def find_margins(tape: Tape, E: np.ndarray, start: Potentials, end: Potentials) -> Margins:
    """The Margins of one crust.

    E: (codes,) its masses, MeV, not finite where there is none; start, end: (steps,) potentials around every step.
    """
    found = list(_competitors(_stretches(tape, Chart(np.asarray(E)), start, end)))
    by_nuclide = np.full(np.size(E), np.inf)
    for decision, _ in found:
        for code in decision.codes:
            by_nuclide[code] = min(by_nuclide[code], decision.distance)
    if not found:
        return Margins(by_nuclide, np.inf, "", np.nan, ())
    closest, P = min(found, key=lambda competitor: competitor[0].distance)
    return Margins(by_nuclide, closest.distance, key_label(closest.key), P, closest.codes)


def _competitors(stretches: list[_Stretch]) -> Iterable[tuple[Decision, float]]:
    """Decisions that would change the sequence, and the pressures at which they are taken."""
    happening = [set(), *(stretch.happening for stretch in stretches), set()]
    for previous, stretch, following in zip(happening, stretches, happening[2:], strict=False):
        yield from ((x, stretch.P_start) for x in stretch.at_start if _competes(x, stretch, previous))
        yield from ((x, stretch.P_end) for x in stretch.at_end if _competes(x, stretch, following))


def _competes(x: Decision, stretch: _Stretch, neighbour: set[Key]) -> bool:
    """Whether a decision at an end of a stretch would change the sequence; neighbour: what happens beyond that end."""
    # the reverse of what is marginal is marginal too
    both = {x.key} if x.happens else {x.key, reverse_of(x.key)}
    opens_or_closes_there = bool(both & neighbour) != x.happens
    if opens_or_closes_there or (not x.happens and both & stretch.happening):
        return False
    ways_meet = x.neutral or Way(x.key.first, x.end) in stretch.ways
    return RESOLUTION <= x.distance < np.inf and not ways_meet


def _stretches(tape: Tape, chart: Chart, start: Potentials, end: Potentials) -> list[_Stretch]:
    """The steps of a crust as stretches."""
    found: list[_Stretch] = []
    burned: set[Key] = set()
    ways: set[Way] = set()
    last = None
    for s in np.flatnonzero(tape.amount != PADDING):
        step = _step_of(tape, s, start, end)
        at_start = _decisions(step, step.start, chart)
        ways |= _ways_of(step, chart)
        if step.burns:
            burned |= _happening(step, at_start)
            last = None
            continue
        at_end = _decisions(step, step.end, chart)
        if (step.trigger, step.net) == last:
            found[-1] = found[-1]._replace(at_end=at_end, P_end=step.end.P, ways=found[-1].ways | ways)
            continue
        happening = _happening(step, at_start + at_end) | burned
        found.append(_Stretch(happening, ways, at_start, at_end, step.start.P, step.end.P))
        burned, ways, last = set(), set(), (step.trigger, step.net)
    return found


def _step_of(tape: Tape, s: Any, start: Potentials, end: Potentials) -> _Step:
    """What the step s does."""
    burns = bool(tape.move[s] == Move.BURN)
    slides = tape.amount[s] == Amount.MARGINAL or tape.move[s] == Move.STOCK
    trigger = Reaction(*(int(x[s]) if slides or burns else NONE for x in tape.trigger))
    net = dict(net_by_code(tape.nuclide[s], tape.net.Y[s]))
    return _Step(trigger, net, burns, _look(tape, s, max(s - 1, 0), start), _look(tape, s, s, end))


def _look(tape: Tape, s: Any, at: Any, potentials: Potentials) -> _Look:
    """One side of the step s, in the state after the step `at`, with the potentials on that side of every step."""
    stock = [int(code) for code, Y in zip(tape.nuclide[s], tape.Y[at], strict=True) if Y > Y_REACTS]
    mu_e, mu_n, ell = (float(x[s]) for x in potentials)
    here = Surroundings(mu_e, mu_n, ell, neutrons=bool(tape.Y_n[at] > 0))
    return _Look(stock, here, float(tape.P[at]))


def _decisions(step: _Step, look: _Look, chart: Chart) -> list[Decision]:
    """What could go another way on one side of a step."""
    return decisions_at(step.trigger, step.net, look.stock, chart, look.here)


def _ways_of(step: _Step, chart: Chart) -> set[Way]:
    """What becomes of a packet of the trigger's parent at the start and at the end of a step."""
    first, channel = step.trigger.first, step.trigger.channel
    if not 0 <= channel < CHANNELS:
        return set()
    return {Way(first, end_of(first, chart, look.here, channel)) for look in (step.start, step.end)}


def _happening(step: _Step, decisions: list[Decision]) -> set[Key]:
    """Reactions that happen in a step: its trigger, and those of the cascade behind it."""
    return {ChannelKey(step.trigger.first, step.trigger.channel), *(x.key for x in decisions if x.happens)}
