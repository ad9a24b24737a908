"""Reduced evolutions: taken apart, put together, and made in groups of any size, they are the same."""

import pickle

import numpy as np

from gpucrust.profiles.reduced import concatenate, take
from gpucrust.profiles.reduction import evolutions_at, reduce_evolutions
from gpucrust.schema import LAYER, reduced_arrays


def test_evolutions_taken_apart_and_put_together_are_the_same(work, plan):
    everyone = reduce_evolutions(plan, pickle.loads((work / "evolutions").read_bytes())[1])
    parts = [take(everyone, np.arange(a, b)) for a, b in ((0, 7), (7, 8), (8, 60))]
    again = concatenate(parts)
    for name in ("status", "summary", "layer_count", "layers", "profiles"):
        np.testing.assert_array_equal(getattr(again, name), getattr(everyone, name))
    backwards = take(everyone, np.arange(60)[::-1])
    np.testing.assert_array_equal(take(backwards, np.arange(60)[::-1]).layers, everyone.layers)


def test_reduced_evolutions_do_not_depend_on_how_many_are_made_at_a_time(work, plan):
    evolution = pickle.loads((work / "evolutions").read_bytes())[1]
    everyone = reduce_evolutions(plan, evolution)
    for rows in (np.arange(5), np.arange(13, 24), np.array([59])):
        some = reduce_evolutions(plan, evolutions_at(evolution, rows))
        np.testing.assert_array_equal(some.profiles, everyone.profiles[rows])
        np.testing.assert_array_equal(some.layers, take(everyone, rows).layers)


def test_arrays_are_those_of_the_schema(work, plan):
    """By which stores make room, and bytes are foretold."""
    everyone = reduce_evolutions(plan, pickle.loads((work / "evolutions").read_bytes())[1])
    for name, one in plan.reduced_arrays.items():
        array = getattr(everyone, name)
        assert (array.shape, array.dtype) == ((len(everyone), *one.shape), one.dtype), name
        assert array.nbytes == len(everyone) * one.nbytes
    assert (everyone.layers.shape[1:], everyone.layers.dtype) == (LAYER.shape, LAYER.dtype)
    assert everyone.nuclides is None
    with_composition = reduced_arrays(10, 8, profiles=False, composition=True)
    assert set(with_composition) == {"status", "summary", "layer_count", "nuclides", "abundances"}
