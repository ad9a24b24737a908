"""Margins: where the sequence of reactions changes."""

import numpy as np

from gpucrust.sensitivity.tape import sequence_hash
from recorded_crusts import IRON, record_models, shifted


def test_margins_are_where_the_sequence_changes(iron):
    """The closest masses that matter: the shift at which the engine takes another sequence, found by bisection."""
    model, pressures, crusts = iron
    margins, own = crusts.margins[0], crusts.hashes[0]

    def same(codes, shifts):
        charts = [shifted(model, code, shift) for code, shift in zip(codes, shifts, strict=True)]
        tapes, _ = record_models(charts, [IRON] * len(charts), pressures)
        return np.array([sequence_hash(tape) == own for tape in tapes])

    codes = np.repeat(np.argsort(margins.by_nuclide)[:20], 2)
    beyond = 1.3 * margins.by_nuclide[codes] * np.tile([1, -1], 20)
    changes = ~same(codes, beyond)
    codes, beyond = codes[changes], beyond[changes]
    low, high = np.zeros(len(codes)), np.ones(len(codes))
    for _ in range(10):
        middle = (low + high) / 2
        stays = same(codes, middle * beyond)
        low, high = np.where(stays, middle, low), np.where(stays, high, middle)
    assert np.sum(np.abs(1.3 * high - 1) < 0.02) >= 4
