"""The dataset: names, units and attributes of everything that is written. Nothing else knows them.

Profiles have the dimensions (mass_model, ash, pycno_log10_scale, sample, g, mdot, pressure). Without fusion neither
its scale nor g nor mdot matters to a composition, and profiles lack those dimensions; what depends on g or mdot
alone has only that dimension. It is put together a block of members at a time.
"""

import datetime
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import xarray as xr

import gpucrust
from gpucrust.constants import RHO_PER_N_B
from gpucrust.engine.evolution import Evolution
from gpucrust.nuclide import N_STRIDE, nuclide_name
from gpucrust.physics import diffusion
from gpucrust.physics.ground_state import GroundState
from gpucrust.profiles.ground_states import ground_states
from gpucrust.profiles.reduced import Records, records_of
from gpucrust.results.files import write_netcdf as write_netcdf
from gpucrust.results.ground_state_variables import add_ground_state
from gpucrust.results.layer_variables import REGIME, add_layers, axis_in
from gpucrust.schema import AXES, PROFILE, SUMMARY
from gpucrust.status import Status
from gpucrust.sweep.plan import Block, Plan
from gpucrust.sweep.provenance import identity

CS20 = (
    "Chugunov & Shchechilin 2020, MNRAS Lett. 495, L32 (CS20); Shchechilin & Chugunov 2019, MNRAS 490, 3454; "
    "Mackie & Baym 1977, Nucl. Phys. A 285, 332; Yakovlev et al. 2006, PRC 74, 035803; "
    "Yakovlev et al. 2010, PRC 82, 044609"
)

SCARCE = 1e-9
"""Nuclides that never exceed this mass fraction are left out of `composition`."""


@dataclass(frozen=True)
class RunInfo:
    """How a dataset came about."""

    device: str
    wall_time: float  # s
    log: tuple[str, ...] = ()  # what happened, a line each, before it was written


# name: (units, long_name); functions of composition
PROFILES = {
    "mu_e": ("MeV", "electron chemical potential, rest mass included"),
    "mu_n": ("MeV", "neutron chemical potential, rest mass not included"),
    "rho": ("g cm-3", "baryon rest mass density n_b m_u"),
    "n_b": ("fm-3", "baryon number density"),
    "Y_e": ("1", "electrons per baryon"),
    "X_n": ("1", "fraction of baryons that are free neutrons"),
    "Z_mean": ("1", "mean charge number of nuclei, by number"),
    "A_mean": ("1", "mean mass number of nuclei, by number"),
    "Q_imp": ("1", "impurity parameter, variance of the charge number of nuclei"),
    "heat": ("MeV", "heat released per baryon since the first pressure"),
    "P_e": ("dyne cm-2", "pressure of electrons"),
    "P_n": ("dyne cm-2", "pressure of free neutrons"),
    "dmu_e_dP": ("MeV cm2 dyne-1", "slope of mu_e along the profile"),
    "dmu_e_dP_nodiff": ("MeV cm2 dyne-1", "slope of mu_e in diffusion equilibrium, CS20 eq. 7"),
    "equilibrium_ratio": ("1", "R: slope of mu_e over that of diffusion equilibrium"),
    "residual_ei": ("1", "relative residual of eq. 8, electrons and nuclei"),
    "residual_n": ("1", "relative residual of eq. 9, free neutrons; 0 where there are none"),
}
# functions of composition, and of g or mdot
FLUXES = {
    "f_in": ("dyne", "friction per nucleus, outwards, eq. 6"),
    "J_n": ("cm-2 s-1", "neutron flux that would hold the nuclei up, outwards, eq. 10"),
    "J_ratio": ("1", "J_n over J_acc"),
    "depth": ("m", "depth below the first pressure"),
}
SUMMARIES = {
    "n_steps": (np.int32, {"units": "1", "long_name": "micro-steps taken"}),
    "max_active": (np.int32, {"units": "1", "long_name": "most nuclides at a time"}),
    "table_mismatch": (
        np.float64,
        {
            "units": "MeV",
            "long_name": "energy released by reading masses from several tables, per initial nucleus, "
            "beyond one table's",
        },
    ),
    "total_heat": (np.float64, {"units": "MeV", "long_name": "heat released per baryon up to the last pressure"}),
}
STATUS: dict[str, Any] = {
    "flag_values": np.array([int(s) for s in Status], np.int8),
    "flag_meanings": " ".join(s.name.lower() for s in Status),
    "long_name": "how the member ended",
    "comment": "; ".join(f"{s.name.lower()}: {s.sentence}" for s in Status),
}
COORDINATES = {
    "mass_model": {"long_name": "nuclear mass model"},
    "ash": {"long_name": "composition at the first pressure"},
    "pycno_log10_scale": {"units": "1", "long_name": "log10 of the factor on all fusion rates"},
    "sample": {"units": "1", "long_name": "number of the draw of mass errors; 0 is unperturbed"},
    "g": {"units": "cm s-2", "long_name": "surface gravity"},
    "mdot": {"units": "g cm-2 s-1", "long_name": "accretion rate per unit area"},
    "pressure": {"units": "dyne cm-2", "long_name": "pressure", "positive": "down"},
}


def build_dataset(plan: Plan, evolution: Evolution, info: RunInfo) -> xr.Dataset:
    """The dataset of a plan all of whose evolutions have been computed."""
    return dataset_of(plan, records_of(plan, evolution), info, ground_states(plan))


def dataset_of(plan: Plan, records: Records, info: RunInfo, ground: list[GroundState]) -> xr.Dataset:
    """The dataset of the records of all evolutions of a plan, and its ground states."""
    everyone: Block = tuple(slice(0, n) for n in plan.shape)
    nuclides = scarce_left_out([records])
    shared = shared_variables(plan, info, nuclides, ground)
    ds = member_variables(plan, records, np.arange(plan.n_evolutions), everyone, nuclides)
    return shared.assign({name: ds[name].variable for name in ds.data_vars})


# --- what all members share


def shared_variables(plan: Plan, info: RunInfo, nuclides: np.ndarray | None, ground: list[GroundState]) -> xr.Dataset:
    """Coordinates, what depends on them alone, the ground states, and the global attributes."""
    a = plan.sweep.axes
    values = {
        "mass_model": np.array([model.name for model in plan.models], object),
        "ash": np.array(a.ash, object),
        "pycno_log10_scale": np.asarray(a.pycno_log10_scale, float),
        "sample": np.arange(a.sample, dtype=np.int32),
        "g": np.asarray(a.g, float),
        "mdot": np.asarray(a.mdot, float),
        "pressure": plan.pressures,
    }
    ds = xr.Dataset(coords={name: xr.Variable(name, data, COORDINATES[name]) for name, data in values.items()})
    if nuclides is not None:
        ds = ds.assign_coords(_nuclide_coordinates(nuclides))
    with jax.enable_x64(True):
        ds["J_acc"] = (
            "mdot",
            np.asarray(diffusion.accretion_flux(values["mdot"])),
            {"units": "cm-2 s-1", "long_name": "baryon flux of accretion"},
        )
    if plan.sweep.output.profiles:
        ds["column_depth"] = (
            ("g", "pressure"),
            plan.pressures / values["g"][:, None],
            {"units": "g cm-2", "long_name": "column depth P/g"},
        )
    if ground:
        ds = add_ground_state(ds, ground)
    return ds.assign_attrs(_global_attributes(plan, info))


def _nuclide_coordinates(codes: np.ndarray) -> dict[str, Any]:
    Z, N = codes // N_STRIDE, codes % N_STRIDE
    names = np.array([nuclide_name(*zn) for zn in zip(Z.tolist(), N.tolist(), strict=True)], object)
    return {
        "nuclide": ("nuclide", names, {"long_name": "nuclide"}),
        "nuclide_Z": ("nuclide", Z, {"units": "1", "long_name": "charge number of the nuclide"}),
        "nuclide_A": ("nuclide", Z + N, {"units": "1", "long_name": "mass number of the nuclide"}),
    }


def _global_attributes(plan: Plan, info: RunInfo) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    citations = "; ".join(dict.fromkeys(part for model in plan.models for part in model.citation.split("; ")))
    return {
        "Conventions": "CF-1.11",
        "title": plan.sweep.title or "Crusts of accreting neutron stars",
        "history": "\n".join([*info.log, f"{now} computed by gpucrust {gpucrust.__version__}"]),
        "references": f"{CS20}. Masses: {citations}",
        "comment": "Nuclear volume and the dependence of masses on the density of free neutrons are neglected (CS20).",
        **identity(plan),
        "jax_version": jax.__version__,
        "device": info.device,
        "platform": platform.platform(),
        "wall_time_seconds": round(info.wall_time, 3),
    }


# --- members


def member_variables(
    plan: Plan, records: Records, numbers: np.ndarray, block: Block, nuclides: np.ndarray | None
) -> xr.Dataset:
    """The variables of a block of members.

    numbers: (n,) increasing numbers of the evolutions that records hold, which include the block's; nuclides: codes
    of those in `composition`, None without it.
    """
    evolutions = plan.evolutions_in(block)
    place = np.searchsorted(numbers, evolutions)
    index = xr.DataArray(place, dims=AXES)
    if not plan.sweep.physics.pycno:
        index = index.isel(pycno_log10_scale=0, g=0, mdot=0)
    ds = xr.Dataset()
    ds["status"] = _by_member(records.status, index, STATUS)
    for column, (name, (dtype, attributes)) in enumerate(SUMMARIES.items()):
        assert name == SUMMARY[column]
        ds[name] = _by_member(records.summary[:, column].astype(dtype), index, attributes)
    if records.profiles is not None:
        ds = _add_profiles(ds, plan, records, index, block)
    if nuclides is not None and records.nuclides is not None:
        fractions = _fractions(records, nuclides)
        attributes = {"units": "1", "long_name": "mass fraction"}
        comment = f"nuclides that somewhere exceed {SCARCE:g}"
        ds["composition"] = _by_member(fractions, index, {**attributes, "comment": comment}, "pressure", "nuclide")
    return add_layers(ds, plan, records, place, block)


def _by_member(values: np.ndarray, index: xr.DataArray, attributes: dict[str, Any], *more: str) -> xr.DataArray:
    return xr.DataArray(values, dims=("evolution", *more)).isel(evolution=index).assign_attrs(attributes)


def _add_profiles(ds: xr.Dataset, plan: Plan, records: Records, index: xr.DataArray, block: Block) -> xr.Dataset:
    g = axis_in(plan, "g", block)
    with jax.enable_x64(True):
        J_acc = xr.DataArray(np.asarray(diffusion.accretion_flux(axis_in(plan, "mdot", block).values)), dims="mdot")

    def profile(name: str) -> xr.DataArray:
        assert records.profiles is not None
        return _by_member(records.profiles[:, PROFILE.index(name)], index, {}, "pressure")

    values = {name: profile(name) for name in PROFILE if name in PROFILES}
    values["rho"] = values["n_b"] * RHO_PER_N_B
    values["dmu_e_dP"] = values["equilibrium_ratio"] * values["dmu_e_dP_nodiff"]
    values["f_in"] = profile("f_in_over_g") * g
    values["J_n"] = profile("J_n_over_g") * g
    values["J_ratio"] = values["J_n"] / J_acc
    values["depth"] = profile("depth_times_g") / g / 100
    for name, (units, long_name) in {**PROFILES, **FLUXES}.items():
        order = [d for d in (*AXES, "pressure") if d in values[name].dims]
        ds[name] = values[name].transpose(*order).assign_attrs(units=units, long_name=long_name)
    ds["regime"] = (
        profile("regime")
        .astype(np.int8)
        .assign_attrs(
            **REGIME,
            long_name="regime of the slope of mu_e",
            comment="decreasing: R < 0; flat: 0 <= R < 0.5; steep: R > 1.5",
        )
    )
    return ds


def scarce_left_out(records: Iterable[Records]) -> np.ndarray | None:
    """Codes of the nuclides that somewhere exceed SCARCE by mass, increasing; None where compositions are not kept."""
    found: set[int] = set()
    for part in records:
        if part.nuclides is None:
            return None
        mass_number = part.nuclides // N_STRIDE + part.nuclides % N_STRIDE
        found.update(np.unique(part.nuclides[np.nan_to_num(mass_number * part.abundances) > SCARCE]).tolist())
    return np.array(sorted(found), np.int64)


def _fractions(records: Records, nuclides: np.ndarray) -> np.ndarray:
    """Mass fractions, (evolution, pressure, nuclide)."""
    codes, abundances = records.nuclides, records.abundances
    assert codes is not None
    assert abundances is not None
    X = (codes // N_STRIDE + codes % N_STRIDE) * abundances
    fractions = np.empty((*X.shape[:-1], len(nuclides)))  # none of them, if no member has a result
    for i, code in enumerate(nuclides):
        fractions[..., i] = np.sum(np.where(codes == code, X, 0.0), axis=-1)
    fractions[np.isnan(abundances[..., 0])] = np.nan
    return fractions
