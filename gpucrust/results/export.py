"""Profiles for other tools: CSV for anyone, composition and heating for cooling codes, a crust EOS for TOV codes.

Each format is what its reader reads; what was found out about it, and where, is with the function that writes it.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import numpy as np
import xarray as xr

from gpucrust.constants import ATOMIC_MASS_UNIT, DYN_PER_CM2, ELECTRON_MASS, NEUTRON_MATTER
from gpucrust.masses import BUILDERS, load_model
from gpucrust.nuclide import parse_nuclide
from gpucrust.physics import eos
from gpucrust.physics.potentials import gibbs_energy
from gpucrust.physics.reactions import z53
from gpucrust.results.summary import HAS_RESULT, axis_text
from gpucrust.schema import AXES
from gpucrust.status import Status
from gpucrust.support.nearest import nearest


class ExportError(ValueError):
    """What cannot be exported, and why; the message is one line."""


def select(ds: xr.Dataset, choice: Mapping[str, str]) -> xr.Dataset:
    """The members with these values, AXIS=VALUE; numbers are matched to the nearest value within 1e-6 of it.

    Chosen axes are gone from the dimensions; layers are left as they are. Raises ExportError with the values there are.
    """
    for axis, text in choice.items():
        if axis not in AXES or axis not in ds.dims:
            there = [d for d in AXES if d in ds.dims]
            meant = f"; did you mean {nearest(axis, there)}? ({', '.join(there)})" if there else ""
            raise ExportError(f"there is no axis '{axis}'{meant}")
        values = ds[axis].values
        if values.dtype.kind in "fi":
            try:
                found = np.flatnonzero(np.isclose(values, float(text), rtol=1e-6, atol=0))
            except ValueError:
                found = np.array([], int)
        else:
            found = np.flatnonzero(values == text)
        if found.size == 0:
            meant = "" if values.dtype.kind in "fi" else f"did you mean {nearest(text, map(str, values))}? "
            raise ExportError(
                f"{axis} = {text}: there is no such value; {meant}there are {axis_text(ds, axis, few=16)}"
            )
        ds = ds.isel({axis: int(found[0])})
    return ds


def one_crust(ds: xr.Dataset) -> xr.Dataset:
    """The only crust of a dataset, without axes; raises ExportError if there are several, or if it has no result."""
    if "mu_e" not in ds:
        raise ExportError("this result has no profiles: run the sweep with output.profiles = true")
    axes = [axis for axis in AXES if axis in ds.mu_e.dims]
    several = [axis for axis in axes if ds.sizes[axis] > 1]
    if several:
        choices = "; ".join(f"{axis}: {axis_text(ds, axis, few=16)}" for axis in several)
        raise ExportError(f"this result has several crusts: choose one with --select AXIS=VALUE ({choices})")
    crust = ds.isel({axis: 0 for axis in AXES if axis in ds.dims})
    status = Status(int(crust.status))
    if status not in HAS_RESULT:
        raise ExportError(f"this crust has no result: it {status.sentence}")
    return crust


def write_csv(ds: xr.Dataset, path: Path) -> list[Path]:
    """All profiles of all members, a line a pressure, every digit; units in lines that begin with '#'.

    Read it with pandas.read_csv(path, comment="#"), R's read.csv(path, comment.char = "#"), or a spreadsheet.
    """
    if "mu_e" not in ds:
        raise ExportError("this result has no profiles: run the sweep with output.profiles = true")
    profiles = ds[[name for name, v in ds.data_vars.items() if "pressure" in v.dims and "nuclide" not in v.dims]]
    axes = [axis for axis in (*AXES, "pressure") if axis in profiles.dims]
    frame = profiles.to_dataframe(dim_order=axes).reset_index()
    with path.open("w", encoding="utf-8", newline="") as file:
        for line in f"{ds.attrs.get('title', '')}\n{ds.attrs.get('history', '')}".splitlines():
            file.write(f"# {line}\n")
        for name in frame.columns:
            attributes = ds[name].attrs
            file.write(f"# {name} [{attributes.get('units', '')}]: {attributes.get('long_name', '')}\n")
        frame.to_csv(file, index=False)
    return [path]


ABUNTIME_GRAVITY = 1.85052e14
"""Surface gravity with which dStar's reader of abuntime files turns their times into pressures, cm s^-2."""
ABUNTIME_MDOT = 0.3 * 8.8e4
"""Accretion rate with which dStar's reader of abuntime files turns their times into pressures, g cm^-2 s^-1."""
ABUNTIME_TEMPERATURE = 0.1
"""Temperature in abuntime files, GK: dStar's own default reference temperature."""


def write_dstar(ds: xr.Dataset, path: Path) -> list[Path]:
    """Composition (abuntime format), heating against lg P, and an inlist's heating controls, for the code dStar.

    The composition's format is what `read_abuntime` of dStar (github.com/nworbde/dStar, dStar_crust/preprocessor/src/
    abuntime.f) reads, and its README describes: the number of nuclides, (1x,i5); for each zone time, T/GK, rho and two
    Fermi energies, (1x,e18.10,2e11.3,2x,2e18.10), all abundances per baryon, free neutrons included,
    (1x,5(a5,1pe10.3)), and a line to skip. Pressure is g mdot time with g and mdot fixed in dStar's source. Fields of
    that width hold 5 digits of an abundance, 5 of a density and 11 of a pressure.

    dStar (NScool/defaults/controls.defaults) reads no table of heat, but Q and a range of lg P for the outer and the
    inner crust: they go to PATH.inlist, for heat before and after the first free neutrons, ranges holding the middle
    90 per cent of it. PATH.heating has the whole curve: lg P, lg rho, and heat in MeV per baryon released up to there.
    The composition was read by Fortran with these formats, not by dStar itself, which needs MESA; nuclides that its
    library does not know it reports.
    """
    crust = one_crust(ds)
    if "composition" not in crust:
        raise ExportError("this result has no composition: run the sweep with output.composition = true")
    names = ["n", *(str(name).lower() for name in crust.nuclide.values)]
    Y = np.column_stack([crust.X_n.values, (crust.composition / crust.nuclide_A).transpose("pressure", "nuclide")])
    time = crust.pressure.values / (ABUNTIME_GRAVITY * ABUNTIME_MDOT)
    lines = [f" {len(names):5d}"]
    zones = zip(time, crust.rho.values, crust.mu_e.values - ELECTRON_MASS, crust.mu_n.values, Y, strict=True)
    for t, rho, fermi_e, fermi_n, abundances in zones:
        lines.append(f" {t:18.10E}{ABUNTIME_TEMPERATURE:11.3E}{rho:11.4E}  {fermi_e:18.10E}{fermi_n:18.10E}")
        fields = [f"{name:>5}{y:10.4E}" for name, y in zip(names, abundances, strict=True)]
        rows = ["".join(fields[i : i + 5]) for i in range(0, len(fields), 5)]
        # Fortran goes back to the last group of a format, not to its beginning: only the first row is indented
        lines += [" " + rows[0], *rows[1:]]
        lines.append("0" + "-" * 79)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")

    _, heating, inlist = files("dstar", path)
    lg_P = np.log10(crust.pressure.values)
    table = np.column_stack([lg_P, np.log10(crust.rho.values), crust.heat.values])
    np.savetxt(
        heating, table, fmt="%.17g", header="lg P (dyn cm^-2), lg rho (g cm^-3), heat up to here (MeV per baryon)"
    )
    inlist.write_text(_dstar_inlist(lg_P, crust.heat.values, crust.X_n.values), encoding="ascii")
    return [path, heating, inlist]


def _dstar_inlist(lg_P: np.ndarray, heat: np.ndarray, X_n: np.ndarray) -> str:
    """Controls of dStar: heat of the outer and of the inner crust and where it is released."""
    drip = int(np.argmax(X_n > 0)) if np.any(X_n > 0) else len(X_n) - 1
    text = []
    for name, part in (("outer", slice(0, drip + 1)), ("inner", slice(drip, None))):
        before = 0.0 if name == "outer" else heat[drip]
        Q = heat[part][-1] - before
        if Q <= 0:
            continue
        low, high = np.interp([before + 0.05 * Q, before + 0.95 * Q], heat[part], lg_P[part])
        text += [
            f"    lgP_min_heating_{name} = {low:.3f}",
            f"    lgP_max_heating_{name} = {high:.3f}",
            f"    Q_heating_{name} = {Q:.4f} ! MeV per baryon",
        ]
    return "\n".join(text) + "\n"


def write_nscool(ds: xr.Dataset, path: Path) -> list[Path]:
    """Heat sources for NSCool: density (g cm^-3) and heat (MeV per baryon), a line a source, no header.

    NSCool (`initialize_heating_deep_crust` of its heating.f, as in github.com/ganetin/Crust_cooling) holds its sources
    in two arrays in the program text, rho_pycno and q_pycno, and gives each to the zone its density lies in; the same
    repository keeps them in two columns (Cooling/heat_sources_HZ08.dat). Copy or read these into the arrays, and
    raise their length. A source is the heat of one recorded interval of pressure, at its lower end. NSCool's densities
    are mass-energy densities, ours baryon rest mass densities: 1 per cent apart at 1e31 dyn cm^-2.
    Not tried with NSCool itself.
    """
    crust = one_crust(ds)
    released = np.diff(crust.heat.values, prepend=0.0)
    sources = np.column_stack([crust.rho.values, released])[released > 0]
    np.savetxt(path, sources, fmt="%23.16E")
    return [path]


def energy_density(crust: xr.Dataset) -> np.ndarray:
    """Energy density along a crust, rest mass included, MeV fm^-3: (pressure,).

    Heat is the Gibbs energy that reactions release at constant pressure, and compression adds dP/n_b: the Gibbs energy
    per baryon is g(P) = g(ash at the first pressure) + integral dP/n_b - heat, and energy n_b g - P. Energy lost in
    neutrinos (physics.neutrino_fraction) is not in `heat` and stays counted, less than 2e-3 of the whole. The ash has
    its measured mass, or that of the mass model.
    """
    sweep = json.loads(crust.attrs["sweep"])
    name, physics = str(crust.mass_model.values), sweep["physics"]
    if physics["neutron_eos"] not in NEUTRON_MATTER:
        raise ExportError(f"neutron matter '{physics['neutron_eos']}' of this crust is not in NEUTRON_MATTER here")
    masses = load_model(name if name in BUILDERS else "DZ31", ame=physics["ame"]).mixed
    ash = {parse_nuclide(k): x for k, x in sweep["ash"][str(crust.ash.values)].items()}
    Z, N, X = (np.array(column) for column in zip(*((Z, N, x) for (Z, N), x in ash.items()), strict=True))
    Y = X / (Z + N)
    P, n_b = crust.pressure.values / DYN_PER_CM2, crust.n_b.values
    with jax.enable_x64(True):
        matter = eos.Matter(NEUTRON_MATTER[physics["neutron_eos"]], float(physics["lattice"]))
        mixture = eos.Mixture(np.sum(Z * Y), 0.0, np.sum(np.asarray(z53(Z)) * Y))
        n_ash = eos.density_at_pressure(P[0], mixture, matter, eos.cold_density_guess(P[0], mixture.Y_e), 40)
        g_ash = ATOMIC_MASS_UNIT + float(gibbs_energy(np.sum(Y * masses[Z, N]), n_ash, mixture, matter))
    # dP/n_b = (P/n_b) d ln P
    integrand = P / n_b
    compression = np.concatenate([[0.0], np.cumsum((integrand[1:] + integrand[:-1]) / 2 * np.diff(np.log(P)))])
    return n_b * (g_ash + compression - crust.heat.values) - P


def write_npz(ds: xr.Dataset, path: Path) -> list[Path]:
    """The crust's equation of state for the TOV code jester: float64 arrays n (fm^-3), p and e (MeV fm^-3) in an .npz.

    jester (github.com/nuclear-multimessenger-astronomy/jester, jesterTOV/eos/crust.py) loads these three names and
    wants n to increase; give it the path, which must end in .npz, as
    `crust_name`. Tried with load_crust of jesterTOV 0.1.1.
    """
    crust = one_crust(ds)
    n = crust.n_b.values
    if np.any(np.diff(n) <= 0):
        raise ExportError("the density of this crust does not increase everywhere, as jester wants it to")
    e = energy_density(crust)
    with path.open("wb") as file:  # np.savez would append .npz to another suffix
        np.savez(file, n=n, p=crust.pressure.values / DYN_PER_CM2, e=e)
    return [path]


FORMATS: dict[str, Callable[[xr.Dataset, Path], list[Path]]] = {
    "csv": write_csv,
    "dstar": write_dstar,
    "nscool": write_nscool,
    "npz": write_npz,
}
"""Writers by name: from a dataset and a path to the files written."""


def files(format: str, path: Path) -> list[Path]:
    """The files that a writer writes."""
    more = (".heating", ".inlist") if format == "dstar" else ()
    return [path, *(path.with_name(path.name + suffix) for suffix in more)]
