"""The dataset of `gpucrust sensitivity`: names, units and attributes of what it writes.

Members are a plain axis here: every combination of the sweep's axes, whose values are coordinates on `member`.
"""

import datetime
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

import gpucrust
from gpucrust.constants import DYN_PER_CM2
from gpucrust.masses.liquid_drop import MB_REFIT, LiquidDropConstants
from gpucrust.nuclide import nuclide_N, nuclide_Z
from gpucrust.schema import AXES, COORDINATES, CS20
from gpucrust.sensitivity.derivatives import Crusts, derivatives
from gpucrust.sensitivity.families import Family, along, family_of
from gpucrust.sensitivity.labels import nuclide_label
from gpucrust.sensitivity.parameters import mass_sigma
from gpucrust.sensitivity.rankings import NEGLIGIBLE
from gpucrust.sensitivity.selection import Selection, Wanted, select
from gpucrust.sensitivity.structure import Structure
from gpucrust.sweep.plan import Plan
from gpucrust.sweep.provenance import data_hash

Variables = dict[str, tuple[tuple[str, ...], Any, dict[str, Any]]]
"""Variables of a dataset by name: dimensions, values, attributes."""


def sensitivity_dataset(
    plan: Plan,
    crusts: Crusts,
    wanted: Sequence[Wanted],
    family_name: str,
    members: np.ndarray,
    drop: LiquidDropConstants = MB_REFIT,
) -> xr.Dataset:
    """Derivatives of the wanted outputs with respect to a family. float64 must be on.

    members: (crusts,) the member of the sweep that each crust is, in the order of its axes, last fastest.
    """
    places = dict(zip(AXES, np.unravel_index(members, plan.evolution_of.shape), strict=True))
    models = [plan.models[m] for m in places["mass_model"]]
    selection = _select(crusts, wanted, plan.pressures)
    found = derivatives(crusts, selection.places)
    gradients = [jax.tree.map(lambda x, i=i: x[i], found.gradients) for i in range(len(crusts))]
    families = [family_of(family_name, m, crusts.member(i).parameters, drop) for i, m in enumerate(models)]
    jacobian = np.stack([along(family, own) for family, own in zip(families, gradients, strict=True)])
    ds = xr.Dataset(coords=_coordinates(plan, places, selection)).assign(
        value=(("member", "output"), found.values, {"long_name": "output, in units of output_units"}),
        output_label=(("member", "output"), selection.what.astype(str), {"long_name": "which layer or threshold"}),
    )
    ds = ds.assign(_sequences(crusts))
    sigma = np.stack([mass_sigma(model).chart for model in models])
    if family_name == "masses":
        ds = _add_masses(ds, jacobian, sigma, crusts)
    else:
        ds = _add_parameters(ds, jacobian, families)
    return ds.assign(_flag(sigma, crusts)).assign_attrs(_attributes(plan, family_name))


def _select(crusts: Crusts, wanted: Sequence[Wanted], pressures: np.ndarray) -> Selection:
    """Places of the wanted outputs of crusts."""
    structures: list[Structure] = [jax.tree.map(np.asarray, crusts.member(i).structure) for i in range(len(crusts))]
    _, n_steps = crusts.steps.tape.P.shape
    return select(wanted, pressures, crusts.tapes, structures, n_steps)


def _coordinates(plan: Plan, places: dict[str, np.ndarray], selection: Selection) -> dict[str, Any]:
    """Coordinates of members and outputs; places: by axis, the index of every member's value."""
    a = plan.sweep.axes
    values_of = {
        "mass_model": [model.name for model in plan.models],
        "ash": a.ash,
        "pycno_log10_scale": a.pycno_log10_scale,
        "sample": range(a.sample),
        "g": a.g,
        "mdot": a.mdot,
    }
    members = {
        name: ("member", np.array([values_of[name][k] for k in places[name]]), COORDINATES[name]) for name in AXES
    }
    return {
        **members,
        "output": ("output", selection.names, {"long_name": "output"}),
        "output_units": ("output", selection.units, {"long_name": "units of the output"}),
    }


def _sequences(crusts: Crusts) -> Variables:
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
            [", ".join(nuclide_label(code) for code in m.nuclides) for m in margins],
            {"long_name": "nuclides whose masses decide it"},
        ),
    }
    return {name: (("member",), values, attributes) for name, (values, attributes) in new.items()}


def _add_masses(ds: xr.Dataset, jacobian: np.ndarray, sigma: np.ndarray, crusts: Crusts) -> xr.Dataset:
    """Derivatives with respect to masses, (members, outputs, codes), of the nuclides that matter.

    sigma: (members, codes) errors of the masses, MeV.
    """
    size = np.abs(np.nan_to_num(jacobian))
    matters = np.any(size > NEGLIGIBLE * np.max(size, axis=-1, keepdims=True), axis=(0, 1))
    codes = np.flatnonzero(matters)
    margin = np.stack([m.by_nuclide for m in crusts.margins])[:, codes]
    ds = ds.assign_coords(
        nuclide=(
            "nuclide",
            [nuclide_label(code) for code in codes.tolist()],
            {"long_name": "nuclide whose mass is shifted"},
        ),
        nuclide_Z=("nuclide", nuclide_Z(codes), {"units": "1", "long_name": "charge number"}),
        nuclide_N=("nuclide", nuclide_N(codes), {"units": "1", "long_name": "neutron number"}),
    )
    sigma = sigma[:, codes]
    return ds.assign(_linear_theory(jacobian[..., codes], sigma)).assign(_nuclide_margins(margin, sigma))


def _linear_theory(jacobian: np.ndarray, sigma: np.ndarray) -> Variables:
    """What masses do to outputs, (members, outputs, nuclides), with their errors, (members, nuclides)."""
    product = jacobian * sigma[:, None]
    return {
        "derivative": (
            ("member", "output", "nuclide"),
            jacobian,
            {"long_name": "derivative of the output by the mass, output_units per MeV, at the fixed sequence"},
        ),
        "sigma": (
            ("member", "nuclide"),
            sigma,
            {"units": "MeV", "long_name": "error of the mass: rms of its table against measured masses; 0 if measured"},
        ),
        "contribution": (
            ("member", "output", "nuclide"),
            product,
            {"long_name": "derivative times sigma, output_units"},
        ),
        "linear_std": (
            ("member", "output"),
            np.sqrt(np.sum(product**2, axis=-1)),
            {"long_name": "standard deviation of the output by mass errors, to first order, output_units"},
        ),
    }


def _nuclide_margins(margin: np.ndarray, sigma: np.ndarray) -> Variables:
    """How far the sequence holds against a shift of each mass, and against its error; (members, nuclides)."""
    return {
        "nuclide_margin": (
            ("member", "nuclide"),
            np.where(np.isfinite(margin), margin, np.nan),
            {
                "units": "MeV",
                "long_name": "shift of this mass alone that may change the sequence; missing if none does",
            },
        ),
        "beyond_margin": (
            ("member", "nuclide"),
            (margin < sigma).astype(np.int8),
            _flags("derivative_holds sequence_may_change", "whether the mass's error is larger than its margin"),
        ),
    }


def _add_parameters(ds: xr.Dataset, jacobian: np.ndarray, families: Sequence[Family]) -> xr.Dataset:
    """Derivatives with respect to the parameters of a family, (members, outputs, parameters)."""
    first, *_ = families
    ds = ds.assign_coords(
        parameter=("parameter", list(first.names), {"long_name": "parameter"}),
        parameter_units=("parameter", list(first.units), {"long_name": "units of the parameter"}),
    )
    return ds.assign(
        derivative=(
            ("member", "output", "parameter"),
            jacobian,
            {"long_name": "derivative of the output, output_units per parameter_units, at the fixed sequence"},
        ),
        parameter_value=(
            ("member", "parameter"),
            np.stack([family.values for family in families]),
            {"long_name": "value of the parameter, parameter_units"},
        ),
    )


def _flag(sigma: np.ndarray, crusts: Crusts) -> Variables:
    """Which members have another sequence within reach of the errors of their masses; sigma: (members, codes)."""
    flagged = [np.any(m.by_nuclide < errors) for m, errors in zip(crusts.margins, sigma, strict=True)]
    meanings = "linear within_mass_error_of_another_sequence"
    attributes = _flags(meanings, "whether some mass error is larger than that mass's margin")
    return {"margin_flag": (("member",), np.array(flagged, np.int8), attributes)}


def _flags(meanings: str, long_name: str) -> dict[str, Any]:
    """Attributes of a flag that is 0 or 1, after CF."""
    return {"flag_values": np.array([0, 1], np.int8), "flag_meanings": meanings, "long_name": long_name}


def _attributes(plan: Plan, family: str) -> dict[str, Any]:
    """Attributes of the dataset."""
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
