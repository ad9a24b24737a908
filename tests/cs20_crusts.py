"""Crusts of CS20's figure 1, read at recorded pressures and between them; `cs20_statements` measures on them."""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import xarray as xr

import gpucrust
from gpucrust.constants import ATOMIC_MASS_UNIT, DYN_PER_CM2
from gpucrust.engine.ensemble import evolve
from gpucrust.engine.evolution import Evolution
from gpucrust.engine.inputs import Problem
from gpucrust.engine.interface import SegmentRow
from gpucrust.nuclide import N_STRIDE
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K, CHANNELS
from gpucrust.results.dataset import RunInfo, build_dataset
from gpucrust.schema import Regime
from gpucrust.sweep.config import load_sweep
from gpucrust.sweep.plan import Plan, make_plan
from paths import ROOT

FUSES = 1e-5
"""Part of all nuclei that must vanish over one per cent in pressure: only fusion lowers their number."""


@cache
def runs() -> tuple[Plan, Evolution, xr.Dataset]:
    """Figure 1 with its upper panel; also at a hundredth of Eddington's rate, and with fusion 1e4 times faster."""
    sweep = load_sweep(
        ROOT / "sweeps" / "figure1_liquid_drop.toml", ["axes.mdot=[1e3,3e4]", "axes.pycno_log10_scale=[0.0,4.0]"]
    )
    plan = make_plan(sweep)
    stepper = replace(plan.stepper, composition=True)
    evolution = evolve(
        plan.evolutions, Problem(plan.models, sweep.ash_fractions(), plan.pressures, plan.physics, stepper)
    )
    return plan, evolution, build_dataset(plan, evolution, RunInfo("", 0.0))


@cache
def one_component() -> xr.Dataset:
    """The crust of one component at a time."""
    return gpucrust.run(load_sweep(ROOT / "sweeps" / "one_component.toml")).squeeze()


@dataclass(frozen=True)
class Crust:
    """One crust of figure 1 at the recorded pressures, and what reacts between them."""

    model: str
    scale: float = 0.0
    mdot: float = 3e4

    @cached_property
    def member(self) -> int:
        """Its number among the members."""
        plan, _, _ = runs()
        axes = plan.sweep.axes
        index = [model.name for model in plan.models].index(self.model)
        place = (index, 0, list(axes.pycno_log10_scale).index(self.scale), 0, 0, list(axes.mdot).index(self.mdot))
        return int(np.ravel_multi_index(place, plan.shape))

    @cached_property
    def evolution(self) -> int:
        """Its number among the evolutions."""
        return int(runs()[0].evolution_of.ravel()[self.member])

    @cached_property
    def ds(self) -> xr.Dataset:
        """Its part of the dataset."""
        whole = runs()[2]
        return whole.sel(mass_model=self.model, pycno_log10_scale=self.scale, mdot=self.mdot).squeeze(drop=True)

    def __getattr__(self, name: str) -> np.ndarray:
        """A variable of its part of the dataset, such as `mu_e`."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self.ds[name].values

    @cached_property
    def nuclei(self) -> np.ndarray:
        """Nuclei per baryon."""
        return (1 - self.X_n) / self.A_mean

    @cached_property
    def inner(self) -> np.ndarray:
        """Where there are free neutrons."""
        return self.X_n > 0

    @cached_property
    def energy_of_nuclei(self) -> np.ndarray:
        """sum_a Y_a m_a, MeV per baryon, rest masses included."""
        plan, evolution, _ = runs()
        masses = np.asarray(next(m for m in plan.models if m.name == self.model).mixed)
        codes, Y = (x[self.evolution] for x in (evolution.nuclides, evolution.abundances))
        Z, N = codes // N_STRIDE, codes % N_STRIDE
        return np.sum(np.where(Y > 0, Y * (masses[Z, N] + (Z + N) * ATOMIC_MASS_UNIT), 0.0), axis=-1)

    def layers(self, *regimes: Regime) -> xr.Dataset:
        """Layers of some regimes, or of all, 1 m thick or more."""
        ds = runs()[2]
        own = (ds.layer_member == self.member) & (ds.layer_thickness >= 1.0)
        return ds.isel(layer=np.flatnonzero(own & ds.layer_regime.isin([int(r) for r in regimes or Regime])))

    def within(self, *regimes: Regime) -> np.ndarray:
        """Recorded pressures that lie in such layers."""
        layers = self.layers(*regimes)
        edges = zip(layers.layer_P_start.values, layers.layer_P_end.values, strict=True)
        return np.any([(self.pressure >= start) & (self.pressure <= end) for start, end in edges], axis=0)

    # between recorded pressures

    @cached_property
    def fuses(self) -> np.ndarray:
        """Whether nuclei vanish."""
        return -np.diff(np.log(self.nuclei)) > FUSES

    @cached_property
    def channel(self) -> np.ndarray:
        """What reaction is marginal in the middle: CHANNELS for a fusion, -1 for none."""
        rows = runs()[1].segments[self.evolution]
        segments = SegmentRow(*rows[~np.isnan(rows[:, 0])].T)
        middle = np.sqrt(self.pressure[1:] * self.pressure[:-1]) / DYN_PER_CM2
        last = np.searchsorted(segments.P_start, middle, side="right") - 1
        sliding = (last >= 0) & (middle < segments.P_end[last]) & (segments.nuclide[last] >= 0)
        return np.where(sliding, segments.channel[last], -1).astype(int)

    def captures(self, least: int, most: int) -> np.ndarray:
        """Whether fusion goes on while a capture of electrons that sets so many neutrons free is marginal."""
        dZ, k = (np.append(x, 0)[self.channel] for x in (CHANNEL_DZ, CHANNEL_K))
        return self.fuses & (self.channel >= 0) & (dZ < 0) & (k >= least) & (k <= most)

    @cached_property
    def fuses_directly(self) -> np.ndarray:
        """Whether the fusion itself is marginal: it goes as fast as compression."""
        return self.fuses & (self.channel == CHANNELS)

    def mean_R(self, intervals: np.ndarray) -> float:
        """Rise of mu_e over that of diffusion equilibrium, over some intervals together; NaN where there are none."""
        nodiff = (self.dmu_e_dP_nodiff[1:] + self.dmu_e_dP_nodiff[:-1]) / 2 * np.diff(self.pressure)
        rise = np.sum(nodiff[intervals])
        return float(np.sum(np.diff(self.mu_e)[intervals]) / rise) if rise else np.nan
