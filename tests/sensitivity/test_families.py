"""Families of parameters: what one unit of each does to the masses."""

from dataclasses import fields, replace

import numpy as np
import pytest

from gpucrust.masses import Origin, binding_terms, load_model
from gpucrust.masses.liquid_drop import MB_REFIT, LiquidDropConstants, liquid_drop_chart
from gpucrust.nuclide import N_MAX, N_STRIDE, Z_MAX
from gpucrust.sensitivity.families import (
    FAMILIES,
    LIQUID_DROP_UNITS,
    FamilyError,
    dz31_directions,
    family_of,
    liquid_drop_directions,
)


@pytest.mark.parametrize("policy", ["mixed", "aligned"])
def test_dz31_directions_are_what_other_coefficients_do_to_the_chart(policy):
    """DZ31 is linear in its coefficients, so finite changes of the joined tables are exact."""
    model = load_model("FRDM95+DZ31", policy=policy)
    change = dz31_directions(model)
    own = (model.origin == Origin.DUFLO_ZUKER).ravel()
    Z, N = (x.ravel()[own] for x in np.mgrid[: Z_MAX + 1, : N_MAX + 1])
    terms = -np.asarray(binding_terms(Z, N))
    if policy == "mixed":
        np.testing.assert_allclose(change[:, own].T, terms, rtol=1e-12, atol=1e-12)
    else:
        # a shift for each Z: differences along a row of the chart are those of the formula
        same = Z[1:] == Z[:-1]
        np.testing.assert_allclose(
            np.diff(change[:, own].T, axis=0)[same], np.diff(terms, axis=0)[same], rtol=1e-9, atol=1e-9
        )
    assert not change[:, ~own].any()


def test_liquid_drop_directions_are_differences_of_charts():
    model = load_model("MB-refit")
    change = liquid_drop_directions(model, MB_REFIT)
    names = list(MB_REFIT.__dataclass_fields__)
    for k in (0, 3, 7):
        h = 4e-3 * getattr(MB_REFIT, names[k])
        charts = {
            s: liquid_drop_chart(replace(MB_REFIT, **{names[k]: getattr(MB_REFIT, names[k]) + s * h}))[12:40, 20:60]
            for s in (2, 1, -1, -2)
        }
        difference = (8 * (charts[1] - charts[-1]) - (charts[2] - charts[-2])) / (12 * h)
        ours = change[k].reshape(-1, N_STRIDE)[12:40, 20:60]
        # charts are rounded to 1 eV
        np.testing.assert_allclose(ours, difference, rtol=1e-5, atol=2e-6 / h)


def test_families_that_make_no_sense_say_so():
    with pytest.raises(FamilyError, match="no masses of DZ31"):
        family_of("dz31", load_model("MB-refit"), None, MB_REFIT)
    with pytest.raises(FamilyError, match="is no liquid drop"):
        family_of("liquid_drop", load_model("DZ31"), None, MB_REFIT)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("masses", "liquid_drop")])
def test_every_parameter_has_a_name_a_unit_and_a_direction(iron, name):
    model, _, crusts = iron
    own = crusts.member(0).parameters
    family = family_of(name, model, own, MB_REFIT)
    assert len(family.names) == len(family.units) == len(family.values) > 0
    for change, value in zip(family.directions, own, strict=True):
        assert change.shape == (len(family.names), *np.shape(value))
    assert tuple(LIQUID_DROP_UNITS) == tuple(field.name for field in fields(LiquidDropConstants))
