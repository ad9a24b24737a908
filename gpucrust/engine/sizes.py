"""How many lanes and batches there are, by the cores and the memory of the device."""

import math
import os

import jax

from gpucrust.engine.inputs import Stepper

LANE_GROUP = 8
"""Number of lanes of which batches have whole multiples: an XLA loop's remainder is compiled otherwise and may round
otherwise, and a member's result must not depend on its neighbours."""
MAX_LANES = {"cpu": 256, "gpu": 65536}
"""Largest number of lanes of a batch by the kind of device: more make neither faster. A GPU's memory may hold less."""
RESULTS_AT_A_TIME = 16384
"""Largest number of lanes whose results are taken from the device at a time, so that their copies stay small beside the
lanes; others that have ended wait for the next time."""
LANE_BYTES = 200_000
"""Memory of a lane on the device without its profile, bytes: masses with errors, segments, state."""
PRESSURE_BYTES = 80
"""Memory of a lane on the device for its profile at one recorded pressure, bytes."""
MEMORY_SHARE = 0.8
"""Part of a GPU's memory that lanes may take; the rest is for what XLA needs beside them."""


def device() -> jax.Device:
    """What JAX computes on here."""
    return jax.config.jax_default_device or jax.local_devices()[0]  # type: ignore[attr-defined]


def on_cpu() -> bool:
    """Whether JAX computes on a CPU here."""
    return device().platform == "cpu"


def point_bytes(stepper: Stepper) -> int:
    """Memory of what is recorded of a member at one pressure, bytes."""
    return PRESSURE_BYTES + (16 * stepper.slots if stepper.composition else 0)


def lane_bytes(n_pressures: int, stepper: Stepper) -> int:
    """Memory of a lane on the device, bytes."""
    return LANE_BYTES + point_bytes(stepper) * n_pressures


def most_lanes(size: int) -> int:
    """Largest number of lanes of a batch on this device, a power of two; size: memory of a lane, bytes."""
    if on_cpu():
        return MAX_LANES["cpu"]
    memory = (device().memory_stats() or {}).get("bytes_limit", math.inf)
    fits = int(min(MAX_LANES["gpu"], max(LANE_GROUP, MEMORY_SHARE * memory / size)))
    return 1 << (fits.bit_length() - 1)


def batches_and_lanes(n_members: int, lanes: int | None, size: int) -> tuple[int, int]:
    """Number of batches (which run side by side, one a core of a CPU) and of lanes in each.

    Lanes are as many as asked for, in whole groups, or a power of two, so that sweeps of many sizes share one compiled
    program. size: memory of a lane, bytes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most_batches = cores if on_cpu() else 1
    if lanes:
        lanes = -(-lanes // LANE_GROUP) * LANE_GROUP
        return min(most_batches, -(-n_members // lanes)), lanes
    batches = min(most_batches, -(-n_members // LANE_GROUP))
    each = -(-n_members // batches)
    return batches, min(most_lanes(size), max(LANE_GROUP, 1 << (each - 1).bit_length()))


def padded(n: int, n_lanes: int) -> int:
    """At least n of n_lanes lanes: of few sizes, so that few programs are compiled."""
    return next(size for size in (LANE_GROUP, 64, 512, 4096, RESULTS_AT_A_TIME, n_lanes) if n <= size <= n_lanes)
