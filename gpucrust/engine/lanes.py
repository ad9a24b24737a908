"""The batch on a device: the programs that start lanes, advance them, and take out their results. No physics here.

All lanes take micro-steps together. What has ended waits, and costs as much as what has not, until a `refill`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.engine.chunk.state import State, initial_state
from gpucrust.engine.chunk.step import micro_step
from gpucrust.engine.interface import (
    MAX_SEGMENTS,
    NOWHERE,
    RECORDED,
    RUNNING,
    SEGMENT,
    TRACED,
    Member,
    Output,
    Settings,
)
from gpucrust.engine.network import Network, drawn_errors
from gpucrust.engine.slide import STEP_ARRAYS, STEP_SCALARS, SlideState, initial_slide, slide_step
from gpucrust.status import Status
from gpucrust.support.persistent_jit import kept

STEPS_PER_SCATTER = 50
"""Micro-steps whose outputs are written to the profiles at once."""
COUNTED = ("n_steps", "n_reactions", "max_active", "mismatch")
"""What a state keeps account of, and results tell as it is."""


class Lanes(NamedTuple):
    """The batch on the device."""

    member: Member
    state: State | SlideState
    profile: Array  # (lanes, n_pressure, len(RECORDED))
    segments: Array  # (lanes, MAX_SEGMENTS, len(SEGMENT))
    composition: tuple[Array, Array] | None  # (lanes, n_pressure, slots) codes and abundances
    trace: Array | None
    record: Array | None  # (lanes, record, row)


@kept
def start_lanes(
    member: Member,
    network: Network,
    settings: Settings,
    used: Array | int,
    *,
    slide: bool,
    with_composition: bool,
    trace: int,
    record: int,
) -> Lanes:
    """Lanes at the lowest pressure, of which the first `used` run.

    member: batched; trace, record: number of reactions and of steps to record.
    """
    lanes, slots = member.Y.shape
    if member.errors is not None:
        n_codes = network.E.shape[1]
        member = member._replace(errors=jax.vmap(lambda errors: drawn_errors(errors, n_codes))(member.errors))
    n_P = network.pressures.shape[0]
    first = partial(initial_slide, with_ways=record > 0) if slide else initial_state
    state = jax.vmap(first, in_axes=(0, None, None))(member, network, settings)
    state = state._replace(status=jnp.where(jnp.arange(lanes) < used, state.status, int(Status.NOT_RUN)))
    composition = None
    if with_composition:
        composition = jnp.zeros((lanes, n_P, slots), state.nuclide.dtype), jnp.zeros((lanes, n_P, slots))
    lanes_here = Lanes(
        member,
        state,
        jnp.full((lanes, n_P, len(RECORDED)), jnp.nan),
        jnp.full((lanes, MAX_SEGMENTS, len(SEGMENT)), jnp.nan),
        composition,
        jnp.zeros((lanes, trace, len(TRACED))) if trace else None,
        jnp.full((lanes, record, len(STEP_ARRAYS) * slots + len(STEP_SCALARS)), jnp.nan) if record and slide else None,
    )
    # all of one type, weak types of constants included: else the next program would be compiled twice
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), lanes_here)


@partial(kept, donate_first=True)
def refill(lanes: Lanes, fresh: Lanes, places: Array) -> Lanes:
    """Lanes with `fresh` ones put in at `places`; a place beyond the last lane takes none."""
    return jax.tree.map(lambda old, new: old.at[places].set(new, mode="drop"), lanes, fresh)


@partial(kept, donate_first=True)
def advance(lanes: Lanes, network: Network, settings: Settings, dlnP: float, *, steps: int, whole: bool) -> Lanes:
    """`steps` micro-steps of every running lane (fewer if all end); whole: of crusts of one component."""
    lane = jnp.arange(lanes.profile.shape[0])

    def one_step(state: Any, _: None) -> tuple[Any, tuple[Output, tuple[Array, Array]]]:
        running = state.status == RUNNING
        one_lane: Callable[..., Any]
        if isinstance(state, SlideState):
            one_lane = partial(slide_step, network=network, settings=settings, step=dlnP)
        else:
            one_lane = partial(micro_step, network=network, settings=settings, whole=whole)
        new, output = jax.vmap(one_lane)(state, lanes.member)
        new = refill_state(state, new, running)
        lines = ["line", "segment_line", "trace_line"] + ["record_line"] * (output.record_line is not None)
        if lanes.record is None:  # rows that nobody wants would be carried along
            output = output._replace(record_row=None)
        output = output._replace(**{x: jnp.where(running, getattr(output, x), NOWHERE) for x in lines})
        return new, (output, (new.nuclide, new.Y))

    def body(carry: tuple[Array, Lanes]) -> tuple[Array, Lanes]:
        count, now = carry
        state, (output, slots) = jax.lax.scan(one_step, now.state, length=STEPS_PER_SCATTER)
        composition, trace = now.composition, now.trace
        if composition is not None:
            codes, abundances = (
                table.at[lane, output.line].set(values, mode="drop")
                for table, values in zip(composition, slots, strict=True)
            )
            composition = codes, abundances
        if trace is not None:
            trace = trace.at[lane, output.trace_line].set(output.trace_row, mode="drop")
        record = now.record
        if record is not None:
            record = record.at[lane, output.record_line].set(output.record_row, mode="drop")
        profile = now.profile.at[lane, output.line].set(output.row, mode="drop")
        segments = now.segments.at[lane, output.segment_line].set(output.segment_row, mode="drop")
        return count + STEPS_PER_SCATTER, Lanes(now.member, state, profile, segments, composition, trace, record)

    def goes_on(carry: tuple[Array, Lanes]) -> Array:
        count, now = carry
        return (count < steps) & jnp.any(now.state.status == RUNNING)

    return jax.lax.while_loop(goes_on, body, (jnp.array(0), lanes))[1]


@kept
def results_of(lanes: Lanes, places: Array | np.ndarray) -> dict[str, Any]:
    """What the lanes at `places` have come to, by name."""
    state = lanes.state
    results = {name: getattr(state, name) for name in ("status", "switched", *COUNTED)}
    results |= {"profile": lanes.profile, "segments": lanes.segments, "trace": lanes.trace, "record": lanes.record}
    results["nuclides"], results["abundances"] = lanes.composition or (None, None)
    if isinstance(state, SlideState) and lanes.record is not None:
        results["n_recorded"] = state.n_records
    return jax.tree.map(lambda x: x[places], results)


def refill_state(old: Any, new: Any, running: Array) -> Any:
    """The new state where a lane runs, the old where it has ended."""

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(running.reshape(-1, *[1] * (a.ndim - 1)), b, a)

    return jax.tree.map(choose, old, new)
