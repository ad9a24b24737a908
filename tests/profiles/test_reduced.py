"""Reduced evolutions: taken apart, put together, and made in groups of any size, they are the same."""

import pickle

import numpy as np

from gpucrust.profiles.reduced import concatenate, take
from gpucrust.profiles.reduction import evolutions_at, reduce_evolutions


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
