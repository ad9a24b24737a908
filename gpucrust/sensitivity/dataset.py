"""The dataset of `gpucrust sensitivity`: names, units and attributes of what it writes, and rankings of it.

Members are a plain axis here: every combination of the sweep's axes, whose values are coordinates on `member`.
"""

import datetime
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

import gpucrust
from gpucrust.constants import DYN_PER_CM2
from gpucrust.masses.liquid_drop import MB_REFIT, LiquidDropConstants
from gpucrust.nuclide import N_STRIDE, nuclide_name
from gpucrust.results.dataset import COORDINATES, CS20
from gpucrust.schema import AXES
from gpucrust.sensitivity.derivatives import Crusts, derivatives
from gpucrust.sensitivity.outputs import Structure
from gpucrust.sensitivity.parameters import Family, along, family_of, mass_sigma
from gpucrust.sensitivity.selection import Selection, select
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.provenance import data_hash

NEGLIGIBLE = 1e-9
"""Nuclides whose derivatives are all below this part of the largest of an output are left out: rounding."""


class Ranked(NamedTuple):
    """One nuclide or parameter for one output, over all members."""

    name: str
    derivative: float  # of the member where it tells most
    sigma: float  # MeV of masses; of other parameters their value, for a relative change
    product: float  # root mean square over members
    margin: float  # MeV, least over members; NaN for other parameters


def sensitivity_dataset(
    plan: Plan,
    crusts: Crusts,
    wanted: list[tuple[str, float]],
    family_name: str,
    members: np.ndarray,
    drop: LiquidDropConstants | None = None,
) -> xr.Dataset:
    """Derivatives of the wanted outputs with respect to a family. float64 must be on.

    members: (crusts,) the member of the sweep that each crust is, in the order of its axes, last fastest.
    """
    places = np.unravel_index(members, plan.evolution_of.shape)
    models = [plan.models[m] for m in places[0]]
    structures = [Structure(*(np.asarray(x[i]) for x in crusts.structure)) for i in range(len(crusts))]
    n_steps = crusts.steps.record.P.shape[1]
    selection = select(wanted, plan.pressures, crusts.records, structures, n_steps)
    found = derivatives(crusts, selection.places)
    families = [family_of(family_name, model, crusts.member(i)[2], drop or MB_REFIT) for i, model in enumerate(models)]
    jacobian = np.stack(
        [along(family, jax.tree.map(lambda x, i=i: x[i], found.gradients)) for i, family in enumerate(families)]
    )
    ds = xr.Dataset(coords=_coordinates(plan, places, selection))
    ds["value"] = ("member", "output"), found.values, {"long_name": "output, in units of output_units"}
    ds["output_label"] = ("member", "output"), selection.what.astype(str), {"long_name": "which layer or threshold"}
    ds = _add_sequences(ds, crusts)
    if family_name == "masses":
        sigma = np.stack([mass_sigma(model).chart for model in models])
        ds = _add_masses(ds, jacobian, sigma, np.stack([m.by_nuclide for m in crusts.margins]))
    else:
        ds = _add_parameters(ds, jacobian, families)
    flagged = [
        bool(np.any(m.by_nuclide < mass_sigma(model).chart)) for m, model in zip(crusts.margins, models, strict=True)
    ]
    ds["margin_flag"] = (
        "member",
        np.array(flagged, np.int8),
        {
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "linear within_mass_error_of_another_sequence",
            "long_name": "whether some mass error is larger than that mass's margin",
        },
    )
    return ds.assign_attrs(_attributes(plan, family_name))


def _coordinates(plan: Plan, places: tuple[np.ndarray, ...], selection: Selection) -> dict[str, Any]:
    a = plan.sweep.axes
    axes = [[m.name for m in plan.models], a.ash, a.pycno_log10_scale, range(a.sample), a.g, a.mdot]
    members = {
        name: ("member", np.array([values[k] for k in place]), COORDINATES[name])
        for name, values, place in zip(AXES, axes, places, strict=True)
    }
    return {
        **members,
        "output": ("output", selection.names, {"long_name": "output"}),
        "output_units": ("output", selection.units, {"long_name": "units of the output"}),
    }


def _add_sequences(ds: xr.Dataset, crusts: Crusts) -> xr.Dataset:
    """Which sequence each member has, and how far it is from another."""
    margins = crusts.margins
    new = {
        "sequence_hash": (crusts.hashes, {"long_name": "SHA-256 of the sequence of reactions"}),
        "margin": (
            np.array([m.smallest for m in margins]),
            {"units": "MeV", "long_name": "smallest mass shift that may change the sequence"},
        ),
        "margin_reaction": ([m.reaction for m in margins], {"long_name": "the closest competing reaction"}),
        "margin_pressure": (
            np.array([m.pressure for m in margins]) * DYN_PER_CM2,
            {"units": "dyne cm-2", "long_name": "pressure at which it competes"},
        ),
        "margin_nuclides": (
            [", ".join(_name(code) for code in m.nuclides) for m in margins],
            {"long_name": "nuclides whose masses decide it"},
        ),
    }
    return ds.assign({name: ("member", values, attributes) for name, (values, attributes) in new.items()})


def _add_masses(ds: xr.Dataset, jacobian: np.ndarray, sigma: np.ndarray, margin: np.ndarray) -> xr.Dataset:
    """Derivatives with respect to masses, of the nuclides that matter."""
    size = np.abs(np.nan_to_num(jacobian))
    matters = np.any(size > NEGLIGIBLE * np.max(size, axis=-1, keepdims=True), axis=(0, 1))
    codes = np.flatnonzero(matters)
    Z, N = codes // N_STRIDE, codes % N_STRIDE
    ds = ds.assign_coords(
        nuclide=("nuclide", [_name(code) for code in codes], {"long_name": "nuclide whose mass is shifted"}),
        nuclide_Z=("nuclide", Z, {"units": "1", "long_name": "charge number"}),
        nuclide_N=("nuclide", N, {"units": "1", "long_name": "neutron number"}),
    )
    jacobian, sigma, margin = jacobian[..., codes], sigma[:, codes], margin[:, codes]
    product = jacobian * sigma[:, None]
    outside = np.where(np.isfinite(margin), margin, np.nan)
    ds["derivative"] = (
        ("member", "output", "nuclide"),
        jacobian,
        {"long_name": "derivative of the output by the mass, output_units per MeV, at the fixed sequence"},
    )
    ds["sigma"] = (
        ("member", "nuclide"),
        sigma,
        {"units": "MeV", "long_name": "error of the mass: rms of its table against measured masses; 0 if measured"},
    )
    ds["contribution"] = (
        ("member", "output", "nuclide"),
        product,
        {"long_name": "derivative times sigma, output_units"},
    )
    ds["linear_std"] = (
        ("member", "output"),
        np.sqrt(np.sum(product**2, axis=-1)),
        {"long_name": "standard deviation of the output by mass errors, to first order, output_units"},
    )
    ds["nuclide_margin"] = (
        ("member", "nuclide"),
        outside,
        {"units": "MeV", "long_name": "shift of this mass alone that may change the sequence; missing if none does"},
    )
    ds["beyond_margin"] = (
        ("member", "nuclide"),
        (margin < sigma).astype(np.int8),
        {
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "derivative_holds sequence_may_change",
            "long_name": "whether the mass's error is larger than its margin",
        },
    )
    return ds


def _add_parameters(ds: xr.Dataset, jacobian: np.ndarray, families: list[Family]) -> xr.Dataset:
    first = families[0]
    ds = ds.assign_coords(
        parameter=("parameter", list(first.names), {"long_name": "parameter"}),
        parameter_units=("parameter", list(first.units), {"long_name": "units of the parameter"}),
    )
    ds["derivative"] = (
        ("member", "output", "parameter"),
        jacobian,
        {"long_name": "derivative of the output, output_units per parameter_units, at the fixed sequence"},
    )
    ds["parameter_value"] = (
        ("member", "parameter"),
        np.stack([family.values for family in families]),
        {"long_name": "value of the parameter, parameter_units"},
    )
    return ds


def _name(code: Any) -> str:
    return nuclide_name(*divmod(int(code), N_STRIDE))


def ranking(ds: xr.Dataset, output: int, top: int = 10) -> list[Ranked]:
    """The nuclides or parameters that tell most about an output, by root mean square over members of the product.

    Of masses the product is derivative times sigma; of other parameters derivative times value, the change of the
    output by a relative change of the parameter, or the derivative itself where a value may be 0.
    """
    masses = "nuclide" in ds.dims
    names = ds["nuclide" if masses else "parameter"].values
    derivative = ds.derivative.isel(output=output).values
    weight = ds["sigma" if masses else "parameter_value"].values
    if not masses and np.any(weight == 0):
        weight = np.ones_like(weight)
    product = np.nan_to_num(derivative * weight)
    size = np.sqrt(np.mean(product**2, axis=0))
    margin = np.nan_to_num(ds.nuclide_margin.values, nan=np.inf) if masses else np.full_like(weight, np.nan)
    found = []
    for k in np.argsort(-size, kind="stable")[:top]:
        if size[k] <= NEGLIGIBLE * size.max():
            break
        m = int(np.argmax(np.abs(product[:, k])))
        found.append(
            Ranked(
                str(names[k]), float(derivative[m, k]), float(weight[m, k]), float(size[k]), float(margin[:, k].min())
            )
        )
    return found


def most_telling(ds: xr.Dataset) -> int:
    """The output whose relative error by masses is the largest, over members."""
    scale = np.nanmean(np.abs(ds.value.values), axis=0)
    spread = np.sqrt(np.nanmean(ds.linear_std.values**2, axis=0))
    return int(np.nanargmax(np.where(scale > 0, spread / np.where(scale > 0, scale, 1.0), -1.0)))


def _attributes(plan: Plan, family: str) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    citations = "; ".join(dict.fromkeys(part for model in plan.models for part in model.citation.split("; ")))
    return {
        "Conventions": "CF-1.11",
        "title": f"Sensitivity to {family}: {plan.sweep.title or 'crusts of accreting neutron stars'}",
        "source": f"gpucrust {gpucrust.__version__}",
        "history": f"{now} computed by gpucrust {gpucrust.__version__} sensitivity",
        "references": f"{CS20}. Masses: {citations}",
        "comment": "Derivatives hold at the fixed sequence of reactions; see margin, nuclide_margin and beyond_margin.",
        "with_respect_to": family,
        "sweep": plan.sweep.model_dump_json(),
        "data_hash": data_hash(plan),
        "jax_version": jax.__version__,
    }
