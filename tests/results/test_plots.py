"""Figures draw what the dataset says: the layers of the right member, in the right place."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import gpucrust
from gpucrust.constants import EDDINGTON_MDOT
from gpucrust.results import plots
from gpucrust.results.summary import INNER_CRUST, broken_probability, first_shown
from gpucrust.schema import Regime


@pytest.fixture(scope="module")
def ds():
    return gpucrust.run(
        {
            "axes": {"mass_model": ["FRDM95+DZ31", "DZ31"], "g": [1e14, 3e14], "mdot": [1e3, 1e5]},
            "physics": {"policy": "mixed"},
            "stepper": {"chunk": 0.01, "dlnP": 0.02, "P_start": 1e28, "P_end": 1.2e31},
        }
    )


def test_profile_panels_show_curves_and_layers_of_their_model(ds, tmp_path):
    figure = plots.plot_profiles(ds)
    panels = [axes for axes in figure.axes if axes.get_ylabel()]
    assert len(panels) == 2
    for i, panel in enumerate(panels):
        spans = [patch for patch in panel.patches if patch.get_alpha() is not None]
        assert len(spans) == int(ds.layer_count[4 * i])
        accreted, ground = (line.get_ydata() for line in panel.lines[:2])
        shown = ds.sel(pressure=slice(INNER_CRUST, None)).isel(mass_model=i)
        np.testing.assert_array_equal(accreted, shown.mu_e.isel(g=0, mdot=0).squeeze())
        np.testing.assert_array_equal(ground, shown.gs_mu_e)
    plots.write_figure(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 20_000


def test_map_shows_the_maximum_and_the_mean_of_every_g_and_mdot(ds):
    figure = plots.plot_map(ds)
    meshes = [np.asarray(panel.collections[0].get_array()) for panel in figure.axes[:4]]
    largest = ds.max_J_ratio.squeeze().transpose("mass_model", "g", "mdot")
    np.testing.assert_allclose(meshes[::2], np.log10(largest))
    for i, mesh in enumerate(meshes[1::2]):
        for (j, k), value in np.ndenumerate(mesh):
            own = ds.isel(layer=ds.layer_member.values == 4 * i + 2 * j + k)
            mean = np.average(np.abs(own.layer_J_n), weights=own.layer_thickness) / float(ds.J_acc[k])
            assert value == pytest.approx(np.log10(mean), abs=1e-12)
            assert mean < largest[i, j, k]


def test_cells_of_a_map_lie_around_their_values(ds):
    edges = plots.plot_map(ds).axes[0].collections[0].get_coordinates()
    for values, bounds in ((ds.mdot.values / EDDINGTON_MDOT, edges[0, :, 0]), (ds.g.values / 1e14, edges[:, 0, 1])):
        assert np.all((0 < bounds[:-1]) & (bounds[:-1] < values) & (values < bounds[1:]))


def test_a_model_without_layers_leaves_its_panel_of_a_map_empty(ds):
    some = ds.assign(max_J_ratio=ds.max_J_ratio.where(ds.mass_model != "DZ31", 0.0))
    assert np.all(plots.plot_map(some).axes[2].collections[0].get_array().mask)
    assert plots.default_kind(some) == "map"
    none = ds.assign(max_J_ratio=0 * ds.max_J_ratio)
    assert plots.default_kind(none) == "layers"


def test_nothing_is_shown_of_pressures_that_there_are_not(ds):
    assert first_shown(ds) == INNER_CRUST
    deep = ds.sel(pressure=slice(1e30, None))
    assert first_shown(deep) == float(deep.pressure[0])


def test_layers_have_a_bar_each_and_the_thickness_of_every_member(ds):
    extent, thickness = plots.plot_layers(ds).axes[:2]
    drawn = [path.get_extents() for bars in extent.collections for path in bars.get_paths()]
    places = ds.layer_member.values, ds.layer_P_start.values, ds.layer_P_end.values
    assert sorted((round((b.y0 + b.y1) / 2), b.x0, b.x1) for b in drawn) == sorted(zip(*places, strict=True))
    widths = [path.get_extents().width for path in thickness.collections[0].get_paths()]
    np.testing.assert_allclose(widths, ds.broken_thickness.values.ravel(), rtol=1e-12)
    assert extent.get_ylim() == (ds.sizes["member"] - 0.5, -0.5)


def test_a_jump_at_one_pressure_is_a_line(ds):
    own = ds.assign(layer_P_end=ds.layer_P_end.where(ds.layer_regime != Regime.DECREASING, ds.layer_P_start))
    jumps = int(np.sum(own.layer_P_start == own.layer_P_end))
    drawn = [
        (path.get_extents().width == 0, line > 0)
        for bars in plots.plot_layers(own).axes[0].collections
        for path, line in zip(bars.get_paths(), bars.get_linewidth(), strict=True)
    ]
    assert jumps > 0
    assert sum(empty for empty, _ in drawn) == jumps
    assert all(empty == line for empty, line in drawn)


def test_shares_stack_up_to_those_of_all_layers(ds):
    figure = plots.plot_probability(ds)
    assert len(figure.axes) == 2
    for i, panel in enumerate(figure.axes):
        P, share = panel.lines[0].get_data()
        np.testing.assert_allclose(share, broken_probability(ds, P)[i], rtol=0, atol=1e-12)
        assert 0 < share.max() <= 1


def test_composition_fills_what_neutrons_leave(result):
    figure = plots.plot_composition(result)
    for i, panel in enumerate(figure.axes):
        stacked = panel.collections[result.sizes["nuclide"] - 1].get_paths()[0].vertices
        own = result.isel(mass_model=i)
        assert stacked[:, 1].max() == pytest.approx(1, abs=1e-6)
        assert stacked[stacked[:, 0] == float(own.pressure[-1]), 1].max() == pytest.approx(
            1 - float(own.X_n.squeeze()[-1])
        )
        assert "Cr56" in {text.get_text() for text in panel.texts}


def test_every_kind_of_layer_has_its_own_look():
    assert set(plots.STYLE) == set(plots.LABEL) == set(Regime) - {Regime.EQUILIBRIUM}
    assert len({style["facecolor"] for style in plots.STYLE.values()}) == 3
    # in grey: one is hatched, and the lightness of the others on white paper tells them apart
    grey = [
        1 - style["alpha"] * (1 - np.dot(to_rgb(style["facecolor"]), [0.299, 0.587, 0.114]))
        for style in plots.STYLE.values()
        if not style["hatch"]
    ]
    assert len(grey) == 2
    assert np.ptp(grey) > 0.15
