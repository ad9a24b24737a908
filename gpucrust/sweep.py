"""From a sweep to a dataset: axes, distinct evolutions, memory, device."""

import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import xarray as xr

from gpucrust.config import Sweep, SweepError, check_sweep, load_sweep
from gpucrust.dataset import RunInfo, build_dataset
from gpucrust.ensemble import Members, Physics, Progress, Stepper, evolve
from gpucrust.masses import MassModel, MissingTableError, load_model
from gpucrust.nuclide import ELEMENTS

AXES = ("mass_model", "ash", "pycno_log10_scale", "sample", "g", "mdot")
"""Dimensions of a sweep, in the order of the dataset."""
BYTES_PER_MEMBER = 1000
"""Of working memory per member besides its profiles."""
BYTES_PER_POINT = 300
"""Of working memory per member and recorded pressure: results, derived variables and their copies while writing."""

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Plan:
    """What a sweep computes. Members with the same composition share one evolution."""

    sweep: Sweep
    models: list[MassModel]
    left_out: list[str]  # sentences on optional mass models without a table
    pressures: np.ndarray  # dyn cm^-2
    evolutions: Members
    evolution_of: np.ndarray  # (mass_model, ash, pycno_log10_scale, sample, g, mdot) index into evolutions

    @property
    def n_members(self) -> int:
        """Number of members: the product of the axes."""
        return self.evolution_of.size

    @property
    def n_evolutions(self) -> int:
        """Number of distinct evolutions."""
        return len(self.evolutions.model)

    @property
    def physics(self) -> Physics:
        """Rules shared by all members."""
        p, perturbation = self.sweep.physics, self.sweep.perturbation
        return Physics(
            pycno=p.pycno,
            t_weak=p.t_weak,
            lattice=p.lattice,
            neutron_eos=p.neutron_eos,
            neutrino_fraction=p.neutrino_fraction,
            one_component=p.one_component,
            fusion_density=tuple((ELEMENTS.index(name), rho) for name, rho in p.fusion_density.items()),
            sigma=perturbation.sigma,
            seed=perturbation.seed,
        )

    @property
    def stepper(self) -> Stepper:
        """Accuracy, and what to record."""
        s = self.sweep.stepper
        engine = "chunk" if self.sweep.physics.one_component else s.engine
        return Stepper(
            s.chunk, s.slots, s.max_steps, composition=self.sweep.output.composition, engine=engine, step=s.step
        )

    @property
    def memory(self) -> int:
        """Predicted working memory, bytes."""
        return BYTES_PER_POINT * len(self.pressures) * (self.n_evolutions + self.n_members)


def recorded_pressures(P_start: float, P_end: float, dlnP: float) -> np.ndarray:
    """Logarithmic grid from P_start to P_end with steps of at most dlnP, dyn cm^-2."""
    steps = int(np.ceil(np.log(P_end / P_start) / dlnP * (1 - 1e-12)))
    return np.geomspace(P_start, P_end, steps + 1)


def make_plan(sweep: Sweep, folder: Path = Path()) -> Plan:
    """Load the masses and find the distinct evolutions; paths of the sweep's tables are relative to `folder`.

    Raises SweepError, or the errors of `gpucrust.masses`, with one line.
    """
    a = sweep.axes
    n_members = math.prod(len(x) for x in (a.mass_model, a.ash, a.pycno_log10_scale, a.g, a.mdot)) * a.sample
    if BYTES_PER_MEMBER * n_members > free_memory():
        raise SweepError(
            f"this sweep has {n_members:.3g} members, and {free_memory() / 2**30:.3g} GiB of memory are free: "
            f"at most {free_memory() / BYTES_PER_MEMBER:.2g} members fit"
        )
    models, left_out = _load_models(sweep, folder)
    shape = (len(models), len(a.ash), len(a.pycno_log10_scale), a.sample, len(a.g), len(a.mdot))
    model, ash, scale, sample, g, mdot = np.indices(shape).reshape(6, -1)
    g_mdot = np.asarray(a.g)[g] * np.asarray(a.mdot)[mdot]
    scales = np.asarray(a.pycno_log10_scale)[scale]
    if not sweep.physics.pycno:
        g_mdot, scales = np.ones_like(g_mdot), np.zeros_like(scales)
    # equal products of g and mdot that rounding has set apart are one
    keys = np.stack([model, ash, sample, scales, np.round(np.log(g_mdot), 12)], axis=1)
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first, rank = first[order], np.argsort(order)
    return Plan(
        sweep=sweep,
        models=models,
        left_out=left_out,
        pressures=recorded_pressures(sweep.stepper.P_start, sweep.stepper.P_end, sweep.stepper.dlnP),
        evolutions=Members(model[first], ash[first], scales[first], sample[first], g_mdot[first]),
        evolution_of=rank[inverse.ravel()].reshape(shape),
    )


def _load_models(sweep: Sweep, folder: Path) -> tuple[list[MassModel], list[str]]:
    tables = {name: folder / path for name, path in sweep.masses.tables.items()}
    drop = sweep.masses.liquid_drop
    models, left_out = [], []
    for name in sweep.axes.mass_model:
        try:
            models.append(
                load_model(
                    name,
                    ame=sweep.physics.ame,
                    policy=sweep.physics.policy,
                    extra_tables=tables or None,
                    liquid_drop_constants=folder / drop if drop else None,
                )
            )
        except MissingTableError as error:
            if name not in sweep.optional_models:
                raise
            left_out.append(f"{name} is left out: {error}")
    if not models:
        raise SweepError("no mass model is left: " + "; ".join(left_out))
    return models, left_out


def free_memory() -> int:
    """Physical memory that is free, bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_memory(plan: Plan) -> None:
    """Refuse a plan that cannot fit; raises SweepError with the setting that would."""
    available = free_memory()
    if plan.memory > available:
        share = available / plan.memory
        raise SweepError(
            f"this sweep needs about {plan.memory / 2**30:.3g} GiB of memory and {available / 2**30:.3g} GiB are free: "
            f"raise stepper.dlnP from {plan.sweep.stepper.dlnP:g} to {plan.sweep.stepper.dlnP / share:.2g}, or run "
            f"it in {int(np.ceil(1 / share))} parts"
        )


def on_device(device: Device | None) -> AbstractContextManager[Any]:
    """Context in which JAX computes on the device; None leaves the choice to JAX. Raises SweepError without a GPU."""
    if device is None:
        return nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend=device)[0])
    except RuntimeError as error:
        raise SweepError(
            f"no {device.upper()} can be used by JAX here; leave --device out, or install gpucrust[cuda13]"
        ) from error


def run(
    sweep: Sweep | Mapping[str, Any] | str | Path,
    *,
    device: Device | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> xr.Dataset:
    """Compute a sweep: a file, a nested mapping as TOML gives it, or a checked Sweep. Returns the dataset.

    Raises SweepError or the errors of `gpucrust.masses` (all ValueError) with one line, before anything is computed.
    """
    folder = Path()
    if isinstance(sweep, str | Path):
        folder = Path(sweep).parent
        sweep = load_sweep(Path(sweep))
    elif not isinstance(sweep, Sweep):
        sweep = check_sweep(sweep)
    plan = make_plan(sweep, folder)
    check_memory(plan)
    return compute(plan, device=device, progress=progress)


def compute(
    plan: Plan, *, device: Device | None = None, progress: Callable[[Progress], None] | None = None
) -> xr.Dataset:
    """Evolve the members of a plan and build their dataset."""
    started = time.perf_counter()
    with on_device(device), jax.enable_x64(True):
        evolution = evolve(
            plan.evolutions,
            plan.models,
            plan.sweep.ash_fractions(),
            plan.pressures,
            plan.physics,
            plan.stepper,
            batch=plan.sweep.stepper.batch or None,
            progress=progress,
        )
        used = jax.local_devices(backend=device)[0] if device else jax.local_devices()[0]
        info = RunInfo(device=f"{used.platform}: {used.device_kind}", wall_time=time.perf_counter() - started)
        return build_dataset(plan, evolution, info)
