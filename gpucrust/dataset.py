"""The dataset: names, units and attributes of everything that is written. Nothing else knows them.

Profiles have the dimensions (mass_model, ash, pycno_log10_scale, sample, g, mdot, pressure). Without fusion neither
its scale nor g nor mdot matters to a composition, and profiles lack those dimensions; what depends on g or mdot
alone has only that dimension.
"""

import datetime
import hashlib
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import xarray as xr

import gpucrust
from gpucrust import eos
from gpucrust.constants import DYN_PER_CM2, RHO_PER_N_B
from gpucrust.dataset_equilibrium import add_equilibrium, add_ground_state
from gpucrust.ensemble import Evolution, sweep_settings
from gpucrust.network import N_STRIDE
from gpucrust.nuclide import nuclide_name
from gpucrust.status import Status

if TYPE_CHECKING:
    from gpucrust.sweep import Plan

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


# name: (units, long_name)
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


def build_dataset(plan: "Plan", evolution: Evolution, info: RunInfo) -> xr.Dataset:
    """The dataset of a plan that has been computed. float64 must be on."""
    ds = xr.Dataset(coords=_coordinates(plan))
    index = _composition_index(plan)
    for name, values in _profiles(plan, evolution).items():
        units, long_name = PROFILES[name]
        by_member = xr.DataArray(values, dims=("evolution", "pressure"))
        ds[name] = by_member.isel(evolution=index).assign_attrs(units=units, long_name=long_name)
    for name, (values, attributes) in _summaries(evolution).items():
        ds[name] = xr.DataArray(values, dims="evolution").isel(evolution=index).assign_attrs(attributes)
    ds = add_equilibrium(ds, plan, evolution, index)
    if evolution.nuclides is not None and evolution.abundances is not None:
        ds = _add_composition(ds, evolution.nuclides, evolution.abundances, index)
    if plan.sweep.output.ground_state:
        ds = add_ground_state(ds, plan)
    if not plan.sweep.output.profiles:
        ds = ds.drop_vars([name for name, values in ds.data_vars.items() if "pressure" in values.dims])
    return ds.assign_attrs(_global_attributes(plan, info))


def _coordinates(plan: "Plan") -> dict[str, Any]:
    a = plan.sweep.axes
    values = {
        "mass_model": [model.name for model in plan.models],
        "ash": list(a.ash),
        "pycno_log10_scale": np.asarray(a.pycno_log10_scale, float),
        "sample": np.arange(a.sample, dtype=np.int32),
        "g": np.asarray(a.g, float),
        "mdot": np.asarray(a.mdot, float),
        "pressure": plan.pressures,
    }
    return {name: xr.Variable(name, data, COORDINATES[name]) for name, data in values.items()}


def _composition_index(plan: "Plan") -> xr.DataArray:
    """Evolution of every combination that a composition depends on."""
    index = xr.DataArray(plan.evolution_of, dims=("mass_model", "ash", "pycno_log10_scale", "sample", "g", "mdot"))
    return index if plan.sweep.physics.pycno else index.isel(pycno_log10_scale=0, g=0, mdot=0)


def _profiles(plan: "Plan", evolution: Evolution) -> dict[str, np.ndarray]:
    """The PROFILES of every evolution, (evolution, pressure)."""
    p = evolution.profiles
    matter = sweep_settings(plan.physics, plan.stepper).matter
    n_b, Y_e, Y_n, Y = p["n_b"], p["Y_e"], p["Y_n"], p["sum_Y"]
    Z_mean = Y_e / Y
    return {
        "mu_e": np.asarray(eos.electron_chemical_potential(n_b * Y_e)),
        "mu_n": np.asarray(eos.neutron_chemical_potential(n_b * Y_n, matter)),
        "rho": n_b * RHO_PER_N_B,
        "n_b": n_b,
        "Y_e": Y_e,
        "X_n": Y_n,
        "Z_mean": Z_mean,
        "A_mean": (1 - Y_n) / Y,
        "Q_imp": np.maximum(p["sum_Z2Y"] / Y - Z_mean**2, 0.0),
        "heat": p["heat"],
        "P_e": np.asarray(eos.electron_pressure(n_b * Y_e)) * DYN_PER_CM2,
        "P_n": np.asarray(eos.neutron_pressure(n_b * Y_n, matter)) * DYN_PER_CM2,
    }


def _add_composition(ds: xr.Dataset, codes: np.ndarray, abundances: np.ndarray, index: xr.DataArray) -> xr.Dataset:
    """Mass fractions of every nuclide that ever exceeds SCARCE; codes, abundances: (evolution, pressure, slot)."""
    A = codes // N_STRIDE + codes % N_STRIDE
    X = A * abundances
    nuclides = np.unique(codes[np.nan_to_num(X) > SCARCE])
    Z, N = nuclides // N_STRIDE, nuclides % N_STRIDE
    fractions = np.stack([np.sum(np.where(codes == code, X, 0.0), axis=-1) for code in nuclides], axis=-1)
    fractions[np.isnan(abundances[..., 0])] = np.nan
    ds["composition"] = (
        xr.DataArray(fractions, dims=("evolution", "pressure", "nuclide"))
        .isel(evolution=index)
        .assign_attrs(units="1", long_name="mass fraction", comment=f"nuclides that somewhere exceed {SCARCE:g}")
    )
    return ds.assign_coords(
        nuclide=("nuclide", [nuclide_name(*zn) for zn in zip(Z, N, strict=True)], {"long_name": "nuclide"}),
        nuclide_Z=("nuclide", Z, {"units": "1", "long_name": "charge number of the nuclide"}),
        nuclide_A=("nuclide", Z + N, {"units": "1", "long_name": "mass number of the nuclide"}),
    )


def _summaries(evolution: Evolution) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Values of every evolution, (evolution,), with attributes."""
    flags = {
        "flag_values": np.array([int(s) for s in Status], np.int8),
        "flag_meanings": " ".join(s.name.lower() for s in Status),
        "long_name": "how the member ended",
        "comment": "; ".join(f"{s.name.lower()}: {s.sentence}" for s in Status),
    }
    mismatch = "energy released by reading masses from several tables, per initial nucleus, beyond one table's"
    return {
        "status": (evolution.status.astype(np.int8), flags),
        "n_steps": (evolution.n_steps.astype(np.int32), {"units": "1", "long_name": "micro-steps taken"}),
        "max_active": (evolution.max_active.astype(np.int32), {"units": "1", "long_name": "most nuclides at a time"}),
        "table_mismatch": (evolution.mismatch, {"units": "MeV", "long_name": mismatch}),
        "total_heat": (
            evolution.profiles["heat"][:, -1],
            {"units": "MeV", "long_name": "heat released per baryon up to the last pressure"},
        ),
    }


def data_hash(plan: "Plan") -> str:
    """SHA-256 over all masses that a plan uses."""
    digest = hashlib.sha256()
    for model in plan.models:
        digest.update(model.name.encode())
        for array in (model.mixed, model.sources):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _global_attributes(plan: "Plan", info: RunInfo) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    citations = "; ".join(dict.fromkeys(part for model in plan.models for part in model.citation.split("; ")))
    return {
        "Conventions": "CF-1.11",
        "title": plan.sweep.title or "Crusts of accreting neutron stars",
        "source": f"gpucrust {gpucrust.__version__}",
        "history": f"{now} computed by gpucrust {gpucrust.__version__}",
        "references": f"{CS20}. Masses: {citations}",
        "comment": "Nuclear volume and the dependence of masses on the density of free neutrons are neglected (CS20).",
        "sweep": plan.sweep.model_dump_json(),
        "data_hash": data_hash(plan),
        "jax_version": jax.__version__,
        "device": info.device,
        "platform": platform.platform(),
        "wall_time_seconds": round(info.wall_time, 3),
    }


def write_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Write netCDF-4, compressed, under a temporary name in the same folder, then rename: never a partial file."""
    encoding: dict[Any, dict[str, Any]] = {}
    for name, variable in ds.variables.items():
        if variable.dtype.kind in "fi" and variable.ndim > 0:
            fill = (
                {"_FillValue": np.nan} if variable.dtype.kind == "f" and name not in ds.coords else {"_FillValue": None}
            )
            encoding[name] = {"zlib": True, "complevel": 4, "shuffle": True, **fill}
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    try:
        ds.to_netcdf(temporary, engine="netcdf4", format="NETCDF4", encoding=encoding)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
