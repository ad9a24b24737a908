"""What XLA makes of the engine for a GPU, whether or not there is one: programs launched, bytes moved, memory.

    pip install ".[cuda13]" && python benchmarks/compiled.py --lanes 65536

The program `advance` is compiled for an NVIDIA H100 as JAX would on a machine that has one, and what is in its loops is
counted: launches, and bytes that these read from and write to memory (arrays in full, but for elements that are picked
out of them). Nothing runs, so that times follow only from what bytes and launches cost. With --platform cpu the program
of this machine is counted, without the plugin.
"""

import argparse
import math
import re
from collections import Counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies

from gpucrust.engine.engines import engine_of
from gpucrust.engine.inputs import Members, Physics, Problem, Stepper, batch_members, settings_of
from gpucrust.engine.lanes import STEPS_PER_SCATTER, advance, start_lanes
from gpucrust.engine.network import build_network
from gpucrust.masses import load_model
from gpucrust.sweep.plan import recorded_pressures

H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  shared_memory_per_block: 49152 shared_memory_per_core: 233472 shared_memory_per_block_optin: 232448
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  memory_bandwidth: 3350000000000 l2_cache_size: 52428800 clock_rate_ghz: 1.98 device_memory_size: 84978434048
  cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"
device_description_str: "NVIDIA H100 80GB HBM3"
"""
"""As NVIDIA describes it, in the form of XLA's GpuTargetConfigProto."""
BYTES_A_SECOND = 3.35e12
SIZES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "pred": 1, "u8": 1, "s8": 1}
LAUNCHED = {"fusion", "copy", "custom-call", "gather", "scatter", "sort", "reduce", "dynamic-update-slice"}
PICKS = {"gather", "dynamic-slice"}
PART = {"dynamic-update-slice": 1, "scatter": 2}
"""What changes an array in part, and the place of the part among its arguments."""


class Instruction(NamedTuple):
    """A line of a compiled program."""

    type: str
    operation: str
    arguments: list[str]
    attributes: str


def instructions(text: str) -> tuple[dict[str, dict[str, Instruction]], str]:
    """Computations of a compiled program's text, by name, and the name of the first that is called."""
    computations: dict[str, dict[str, Instruction]] = {}
    here, entry = "", ""
    for line in text.splitlines():
        if head := re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$", line):
            here = head[2]
            computations[here] = {}
            entry = here if head[1] else entry
        elif here and " = " in line:
            name, rest = line.strip().removeprefix("ROOT ").split(" = ", 1)
            end = _closing(rest) + 1 if rest[0] == "(" else rest.index(" ")
            call = rest[end:].strip()
            close = _closing(call)
            arguments = re.findall(r"%([\w.\-]+)|\((\d+)", call[:close])  # of a parameter, its number
            arguments = [name or number for name, number in arguments]
            computations[here][name.lstrip("%")] = Instruction(rest[:end], call.split("(")[0], arguments, call[close:])
    return computations, entry


def _closing(text: str) -> int:
    """Where the first parenthesis is closed."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ")" and depth == 0:
            return i
    return len(text)


def size(type_: str) -> int:
    """Bytes of a type as a program's text has it."""
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", type_)
    return sum(SIZES.get(kind, 0) * math.prod(int(x) for x in shape.split(",") if x) for kind, shape in arrays)


def moved(call: Instruction, own: dict[str, Instruction], computations: dict[str, dict[str, Instruction]]) -> int:
    """Bytes that a launch reads and writes: of arrays that it only picks from or changes in part, those parts."""
    called = re.search(r"calls=%?([\w.\-]+)", call.attributes)
    inside = computations[called[1]] if called else {}
    users: dict[str, list[tuple[int, Instruction]]] = {}
    for name, instruction in reversed(inside.items()):
        for place, argument in enumerate(instruction.arguments):
            same = users.get(name, []) if instruction.operation == "bitcast" else [(place, instruction)]
            users.setdefault(argument, []).extend(same)
    parameters = {int(x.arguments[0]): name for name, x in inside.items() if x.operation == "parameter"}
    total, changed = 0, {x.type: x for x in inside.values() if x.operation in PART}
    for place, argument in enumerate(call.arguments):
        used = users.get(parameters.get(place, ""), [])
        if used and all(at == 0 and x.operation in PICKS for at, x in used):
            total += min(size(own[argument].type), sum(size(x.type) for _, x in used))
        elif own[argument].type not in changed:
            total += size(own[argument].type)
    for type_ in re.findall(r"\w+\[[\d,]*\](?:\{[\d,]*\})?", call.type):
        part = changed.get(type_)
        total += size(inside[part.arguments[PART[part.operation]]].type if part else type_)
    return total


def count(computations: dict[str, dict[str, Instruction]], name: str) -> Counter:
    """Launches, bytes, and questions to the host in one pass through a computation; loops of unknown length once."""
    counts: Counter = Counter()
    for x in computations[name].values():
        if x.operation == "while":
            body, condition = (re.search(rf"{key}=%?([\w.\-]+)", x.attributes)[1] for key in ("body", "condition"))
            known = re.search(r'known_trip_count":\{"n":"(\d+)"', x.attributes)
            for key, value in count(computations, body).items():
                counts[key] += value * (int(known[1]) if known else 1)
            if not known:
                counts += count(computations, condition) + count(computations, condition)
                counts["asked"] += 2
        elif x.operation == "call":
            counts += count(computations, re.search(r"to_apply=%?([\w.\-]+)", x.attributes)[1])
        elif x.operation in LAUNCHED:
            counts["launches"] += 1
            counts["bytes"] += moved(x, computations[name], computations)
    return counts


def device_of(platform: str) -> Any:
    """A device to compile for."""
    if platform == "cpu":
        return jax.local_devices(backend="cpu")[0]
    jax.config.update("jax_platforms", "cpu")  # what runs here; the plugin is content without a GPU
    return topologies.get_topology_desc("", "cuda", topology="1x1x1", target_config=H100).devices[0]


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Compile, count, print; returns the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=65536)
    parser.add_argument("--steps", type=float, default=1660, help="of a crust, by benchmarks/ensemble.py")
    parser.add_argument("--sigma", type=float, default=0.0, help="MeV; else than 0: lanes have mass errors")
    parser.add_argument("--launch", type=float, default=3.0, help="microseconds that a launch costs at least")
    parser.add_argument("--platform", default="h100", choices=["h100", "cpu"])
    options = parser.parse_args(arguments)
    one = jax.sharding.SingleDeviceSharding(device_of(options.platform))
    with jax.enable_x64(True):
        physics, stepper, pressures = Physics(sigma=options.sigma), Stepper(), recorded_pressures(1e27, 3e31, 0.01)
        problem = Problem([load_model("FRDM95+DZ31")], [{(26, 30): 1.0}], pressures, physics, stepper)
        engine = engine_of(physics, stepper)
        network = build_network(problem.models, pressures, pycnonuclear=True)
        settings = settings_of(physics, stepper, engine)
        two = Members(*(np.zeros(2, int) for _ in range(2)), np.zeros(2), np.arange(2), np.full(2, 6e18))
        member = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((options.lanes, *x.shape[1:]), x.dtype),
            batch_members(two, problem),
        )
        start = lambda m: start_lanes(  # noqa: E731
            m, network, settings, 1, engine=engine, with_composition=False, trace=0, record=0
        )
        shapes = jax.eval_shape(start, member), network, settings
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)), shapes)
        program = jax.jit(
            lambda *x: advance(*x, engine=engine, steps=STEPS_PER_SCATTER),
            in_shardings=one,
            out_shardings=one,
            donate_argnums=(0,),
        )
        compiled = program.lower(*shapes).compile()
    counts = count(*instructions(compiled.as_text()))
    memory = compiled.memory_analysis()
    a_step = {name: value / STEPS_PER_SCATTER for name, value in counts.items()}
    per_lane = a_step["bytes"] / options.lanes
    by_bytes = BYTES_A_SECOND / (per_lane * options.steps)
    by_launches = options.lanes / (options.steps * a_step["launches"] * options.launch * 1e-6)
    row = {
        "lanes": options.lanes,
        "launches a step": a_step["launches"],
        "bytes a lane and step": per_lane,
        "crusts/s at most, by bytes": by_bytes,
        "by launches": by_launches,
        "by both": 1 / (1 / by_bytes + 1 / by_launches),
        "GiB": (memory.argument_size_in_bytes + memory.temp_size_in_bytes) / 2**30,
    }
    print(" | ".join(row))
    print(" | ".join(f"{x:.4g}" for x in row.values()))
    return row


if __name__ == "__main__":
    main()
