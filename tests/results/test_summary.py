"""What a result says in a few numbers agrees with the dataset, member by member."""

import numpy as np
import pytest

import gpucrust
from gpucrust.results import summary
from gpucrust.schema import Regime
from gpucrust.status import Status

AXES = {"mass_model": ["FRDM95+DZ31", "DZ31"], "ash": ["fe56", "edge"], "g": [1e14, 3e14]}


@pytest.fixture(scope="module")
def ds():
    """Two models, two gravities, an ash that works and one that falls off the chart."""
    return gpucrust.run(
        {
            "axes": AXES,
            "ash": {"edge": {"Nd150": 1.0}},
            "physics": {"policy": "mixed"},
            "stepper": {"chunk": 0.02, "dlnP": 0.05, "P_start": 1e28, "P_end": 6e30},
        }
    )


def test_regimes_of_layers_are_those_of_the_profile(result):
    regime = summary.regimes_at(result, result.pressure.values)
    kept = regime != Regime.EQUILIBRIUM  # the profile also has the regimes of layers that were too thin to keep
    assert kept.sum() > 50
    np.testing.assert_array_equal(regime[kept], result.regime.values.reshape(regime.shape)[kept])


def test_share_is_that_of_members_with_a_result(ds):
    P = np.geomspace(1e30, 6e30, 50)
    share = summary.broken_probability(ds, P)
    regime = summary.regimes_at(ds, P).reshape(2, 2, 2, 50)
    np.testing.assert_array_equal(share, np.mean(regime[:, 0] != Regime.EQUILIBRIUM, axis=1))
    by_kind = sum(summary.broken_probability(ds, P, (kind,)) for kind in Regime if kind != Regime.EQUILIBRIUM)
    np.testing.assert_allclose(by_kind, share, rtol=0, atol=1e-15)
    assert 0 < share.max() <= 1


def test_a_model_without_any_result_has_no_share(ds):
    lost = summary.broken_probability(ds.assign(status=ds.status * 0 + int(Status.CHART_EDGE)), np.array([1e30]))
    assert np.all(np.isnan(lost))


def test_summaries_count_and_range_over_members(ds):
    for i, s in enumerate(summary.by_mass_model(ds)):
        own = ds.isel(mass_model=i)
        assert (s.mass_model, s.members, s.failed) == (AXES["mass_model"][i], 4, 2)
        assert s.heat == (float(own.total_heat.min()), float(own.total_heat.max()))
        assert s.thickness[0] < s.thickness[1], "layers are thicker where gravity is lower"
        members = ds.layer_member.values[ds.layer_regime.values == Regime.DECREASING]
        assert s.falling == len({m for m in members if m // 4 == i})


def test_a_member_is_named_by_what_sets_it_apart(ds, result):
    labels = [summary.member_label(ds, m) for m in range(8)]
    assert labels[0] == "FRDM95+DZ31, fe56, g 1e+14"
    assert labels[7] == "DZ31, edge, g 3e+14"
    assert len(set(labels)) == 8
    assert summary.member_label(result, 1) == "DZ31"


def test_failures_are_counted_by_member(ds, result):
    assert summary.failures(ds) == [(Status.CHART_EDGE, 4)]
    assert summary.failures(result) == []


def test_members_that_share_an_evolution_count_each(ds):
    assert summary.failures(ds.assign(status=ds.status.isel(g=0, mdot=0))) == [(Status.CHART_EDGE, 4)]


def test_ranges_read_as_one_number_where_they_are_one():
    assert summary.show_range((1.0, 1.0001)) == "1"
    assert summary.show_range((1.0, 2.0)) == "1 to 2"
