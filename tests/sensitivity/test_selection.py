"""Choosing outputs by name."""

import numpy as np

from gpucrust.engine.slide.record import Move
from gpucrust.sensitivity.derivatives import crust_outputs, flat
from gpucrust.sensitivity.outputs import Outputs
from gpucrust.sensitivity.selection import (
    LAYERS,
    PROFILES,
    SCALARS,
    THRESHOLDS,
    check_names,
    starts_in_flat,
    thresholds,
)
from gpucrust.sensitivity.tape import PADDING
from recorded_crusts import PRESSURES


def test_every_output_has_a_kind():
    kinds = [*PROFILES, *THRESHOLDS, *LAYERS, *SCALARS]
    assert sorted(kinds) == sorted(Outputs._fields)


def test_places_are_those_of_the_outputs(crusts):
    """A row of all outputs holds at each place what the outputs hold by name."""
    outputs = crust_outputs(*crusts.member(0))
    row = np.asarray(flat(outputs))
    starts = starts_in_flat(len(PRESSURES), crusts.steps.tape.P.shape[1])
    for name, value in outputs._asdict().items():
        np.testing.assert_array_equal(row[starts[name] :][: np.size(value)], np.ravel(value), err_msg=name)
    assert starts["max_J_ratio"] == len(row) - 1


def test_names_and_pressures_are_read():
    wanted = check_names(" total_heat, R@1e30 ,layer_thickness", PRESSURES)
    assert [x.name for x in wanted] == ["total_heat", "equilibrium_ratio", "layer_thickness"]
    np.testing.assert_array_equal([x.P for x in wanted], [np.nan, 1e30, np.nan])


def test_thresholds_are_the_steps_that_end_by_themselves(crusts):
    """Every one says what ends it: a reaction, or a stock."""
    for tape in crusts.tapes:
        items = thresholds(tape)
        ends = (tape.amount != PADDING) & ((tape.move == Move.EVENT) | (tape.move == Move.STOCK))
        assert [item.number for item in items] == np.flatnonzero(ends).tolist()
        assert all(("->" in item.label) or ("end of" in item.label) or ("+" in item.label) for item in items)
        assert items
