"""Results of an ensemble as NumPy arrays: profiles, segments and accounts of its members, and what was recorded."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucrust.engine.inputs import Stepper
from gpucrust.engine.interface import MAX_SEGMENTS, Engine, ProfileRow, SegmentRow, TraceRow
from gpucrust.engine.slide.record import StepRow, steps_by_name
from gpucrust.status import Status


@dataclass(frozen=True)
class Evolution:
    """Results of an ensemble: one entry a member along the first axis; failed members have NaN."""

    profiles: dict[str, np.ndarray]
    """(members, pressures) each of the columns of `ProfileRow`."""
    segments: np.ndarray
    """(members, MAX_SEGMENTS, columns of `SegmentRow`); NaN beyond a member's last."""
    status: np.ndarray
    """(members,) a `Status`."""
    n_steps: np.ndarray
    """(members,) micro-steps taken."""
    n_reactions: np.ndarray
    """(members,) reactions, or burns of the slide engine."""
    max_active: np.ndarray
    """(members,) most nuclides at a time."""
    mismatch: np.ndarray
    """(members,) energy by reading several mass tables beyond one table's, MeV per nucleus of the ash."""
    nuclides: np.ndarray | None = None
    """(members, pressures, slots) codes, if compositions were to be recorded."""
    abundances: np.ndarray | None = None
    """(members, pressures, slots) nuclei per baryon, if compositions were to be recorded."""
    trace: np.ndarray | None = None
    """(members, reactions, columns of `TraceRow`), if reactions were to be traced."""
    record: np.ndarray | None = None
    """(members, steps, columns), if steps were to be recorded; see `recorded_steps`."""
    n_recorded: np.ndarray | None = None
    """(members,) steps of each member, also of those beyond the room there was."""


def empty_results(n: int, n_pressure: int, stepper: Stepper, engine: Engine) -> dict[str, Any]:
    """Arrays for the results of n members, as lanes give them, with nothing in them yet."""
    slots, columns = stepper.slots, engine.record_columns(stepper.slots)
    recorded = stepper.record and columns
    return {
        "profile": np.full((n, n_pressure, len(ProfileRow._fields)), np.nan),
        "segments": np.full((n, MAX_SEGMENTS, len(SegmentRow._fields)), np.nan),
        "status": np.full(n, int(Status.NOT_RUN)),
        "n_steps": np.zeros(n, int),
        "n_reactions": np.zeros(n, int),
        "max_active": np.zeros(n, int),
        "mismatch": np.zeros(n),
        "nuclides": np.zeros((n, n_pressure, slots), int) if stepper.composition else None,
        "abundances": np.zeros((n, n_pressure, slots)) if stepper.composition else None,
        "trace": np.zeros((n, stepper.trace, len(TraceRow._fields))) if stepper.trace else None,
        "record": np.full((n, stepper.record, columns), np.nan) if recorded else None,
        "n_recorded": np.zeros(n, int) if recorded else None,
    }


def evolution_of(results: dict[str, Any]) -> Evolution:
    """The Evolution of results as lanes give them."""
    profile = results.pop("profile")
    return Evolution({name: profile[..., i] for i, name in enumerate(ProfileRow._fields)}, **results)


def recorded_steps(evolution: Evolution, member: int) -> StepRow:
    """The steps of a member of the slide engine: (steps, slots) or (steps,) of each column.

    Raises ValueError if no steps were recorded, or not all.
    """
    if evolution.record is None or evolution.n_recorded is None:
        raise ValueError("no steps were recorded: set Stepper(record=...)")
    n = int(evolution.n_recorded[member])
    if n > evolution.record.shape[1]:
        raise ValueError(f"member {member} took {n} steps, but there was room for {evolution.record.shape[1]}")
    return steps_by_name(evolution.record[member, :n])
