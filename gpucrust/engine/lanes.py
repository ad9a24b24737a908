"""The batch on a device: the programs that start lanes, advance them, and take out their results. No physics here.

All lanes take micro-steps together. What has ended waits, and costs as much as what has not, until a `refill`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gpucrust.engine.interface import (
    MAX_SEGMENTS,
    NOWHERE,
    RUNNING,
    Engine,
    Member,
    Output,
    ProfileRow,
    SegmentRow,
    Settings,
    TraceRow,
)
from gpucrust.engine.network import Network, drawn_errors
from gpucrust.engine.state import State
from gpucrust.status import Status
from gpucrust.support.persistent_jit import kept

STEPS_PER_SCATTER = 50
"""Number of micro-steps whose rows are written to their tables at once: writing costs as much for one as for many."""
COUNTED = ("n_steps", "n_reactions", "max_active", "mismatch")
"""Numbers of an account that results tell as they are."""


class Lanes(NamedTuple):
    """The batch on the device; a pytree of arrays whose first axis is that of lanes."""

    member: Member
    """The members that the lanes have."""
    state: State
    """Their states, of the engine."""
    profile: Array
    """(lanes, pressures, columns of `ProfileRow`); NaN at pressures not yet reached."""
    segments: Array
    """(lanes, MAX_SEGMENTS, columns of `SegmentRow`); NaN beyond a lane's last."""
    composition: tuple[Array, Array] | None
    """(lanes, pressures, slots) codes and abundances, if they are wanted."""
    trace: Array | None
    """(lanes, reactions, columns of `TraceRow`), if reactions are to be traced."""
    record: Array | None
    """(lanes, steps, columns of the engine), if steps are to be recorded."""


@kept
def start_lanes(
    member: Member,
    network: Network,
    settings: Settings,
    used: Array | int,
    *,
    engine: Engine,
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
    state = jax.vmap(engine.init, in_axes=(0, None, None))(member, network, settings)
    status = jnp.where(jnp.arange(lanes) < used, state.account.status, int(Status.NOT_RUN))
    state = state._replace(account=state.account._replace(status=status))
    composition = None
    if with_composition:
        composition = jnp.zeros((lanes, n_P, slots), member.nuclide.dtype), jnp.zeros((lanes, n_P, slots))
    columns = engine.record_columns(slots)
    lanes_here = Lanes(
        member,
        state,
        jnp.full((lanes, n_P, len(ProfileRow._fields)), jnp.nan),
        jnp.full((lanes, MAX_SEGMENTS, len(SegmentRow._fields)), jnp.nan),
        composition,
        jnp.zeros((lanes, trace, len(TraceRow._fields))) if trace else None,
        jnp.full((lanes, record, columns), jnp.nan) if record and columns else None,
    )
    # all of one type, weak types of constants included: else the next program would be compiled twice
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), lanes_here)


@partial(kept, donate_first=True)
def refill(lanes: Lanes, fresh: Lanes, places: Array) -> Lanes:
    """Lanes with `fresh` ones put in at `places`; a place beyond the last lane takes none."""
    return jax.tree.map(lambda old, new: old.at[places].set(new, mode="drop"), lanes, fresh)


@partial(kept, donate_first=True)
def advance(lanes: Lanes, network: Network, settings: Settings, *, engine: Engine, steps: int) -> Lanes:
    """`steps` micro-steps of every running lane (fewer if all end)."""
    one_lane = partial(engine.step, network=network, settings=settings)

    def one_step(state: Any, _: None) -> tuple[Any, tuple[Output, tuple[Array, Array]]]:
        running = state.account.status == RUNNING
        new, output = jax.vmap(one_lane)(state, lanes.member)
        new = refill_state(state, new, running)
        lines = ["line", "segment_line", "trace_line"] + ["record_line"] * (output.record_line is not None)
        if lanes.record is None:  # rows that nobody wants would be carried along
            output = output._replace(record_row=None)
        output = output._replace(**{x: jnp.where(running, getattr(output, x), NOWHERE) for x in lines})
        return new, (output, (new.stock.nuclide, new.stock.Y))

    def body(carry: tuple[Array, Lanes]) -> tuple[Array, Lanes]:
        count, now = carry
        state, (output, slots) = jax.lax.scan(one_step, now.state, length=STEPS_PER_SCATTER)
        return count + STEPS_PER_SCATTER, written(now, output, slots)._replace(state=state)

    def goes_on(carry: tuple[Array, Lanes]) -> Array:
        count, now = carry
        return (count < steps) & jnp.any(now.state.account.status == RUNNING)

    return jax.lax.while_loop(goes_on, body, (jnp.array(0), lanes))[1]


def written(lanes: Lanes, output: Output, slots: tuple[Array, Array]) -> Lanes:
    """Lanes with the rows of some micro-steps in their tables.

    output: with leading axes (steps, lanes); slots: codes and abundances after these steps, (steps, lanes, slots).
    """
    lane = jnp.arange(lanes.profile.shape[0])
    composition, trace, record = lanes.composition, lanes.trace, lanes.record
    if composition is not None:
        codes, abundances = (
            table.at[lane, output.line].set(values, mode="drop")
            for table, values in zip(composition, slots, strict=True)
        )
        composition = codes, abundances
    if trace is not None:
        trace = trace.at[lane, output.trace_line].set(output.trace_row, mode="drop")
    if record is not None:
        record = record.at[lane, output.record_line].set(output.record_row, mode="drop")
    profile = lanes.profile.at[lane, output.line].set(output.row, mode="drop")
    segments = lanes.segments.at[lane, output.segment_line].set(output.segment_row, mode="drop")
    return lanes._replace(profile=profile, segments=segments, composition=composition, trace=trace, record=record)


@kept
def results_of(lanes: Lanes, places: Array | np.ndarray) -> dict[str, Any]:
    """What the lanes at `places` have come to, by name."""
    account = lanes.state.account
    results = {name: getattr(account, name) for name in ("status", "switched", *COUNTED)}
    results |= {"profile": lanes.profile, "segments": lanes.segments, "trace": lanes.trace, "record": lanes.record}
    results["nuclides"], results["abundances"] = lanes.composition or (None, None)
    if lanes.record is not None:
        results["n_recorded"] = account.n_recorded
    return jax.tree.map(lambda x: x[places], results)


def refill_state(old: Any, new: Any, running: Array) -> Any:
    """The new state where a lane runs, the old where it has ended."""

    def choose(a: Array, b: Array) -> Array:
        return jnp.where(running.reshape(-1, *[1] * (a.ndim - 1)), b, a)

    return jax.tree.map(choose, old, new)
