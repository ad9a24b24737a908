"""Tapes: how they are padded, and the sequence of reactions on them."""

import jax
import numpy as np
import pytest

from gpucrust.engine.slide.record import Move
from gpucrust.sensitivity.tape import NONE, bucket, pad_steps, sequence_hash, sequence_of, stack_tapes


def test_padding_changes_nothing(crusts):
    tape = crusts.tapes[0]
    padded = pad_steps(tape, len(tape.P) + 7)
    assert sequence_hash(padded) == sequence_hash(tape)
    with pytest.raises(ValueError, match="does not fit"):
        pad_steps(tape, 3)


def test_stacked_tapes_have_the_length_of_a_bucket(crusts):
    longest = max(len(tape.P) for tape in crusts.tapes)
    assert {x.shape[:2] for x in jax.tree.leaves(stack_tapes(crusts.tapes))} == {(len(crusts), bucket(longest))}
    assert [bucket(n) for n in (1, 256, 257, 385, 513)] == [256, 256, 384, 512, 768]


def test_a_tape_begins_with_the_ash(crusts):
    """The first step does nothing, so that it ends where it begins."""
    for tape in crusts.tapes:
        assert tape.d[0] == tape.heat[0] == tape.Y_n[0] == 0.0
        assert tape.trigger.channel[0] == tape.event.channel[0] == NONE
        assert not tape.net.Y[0].any()
        assert not tape.opposing.Y[0].any()


def test_a_sequence_knows_no_grid(crusts):
    """A step cut in two at a pressure of the grid is the same reaction carried on."""
    tape = crusts.tapes[0]
    s = int(np.flatnonzero((tape.move == Move.EVENT) & (tape.trigger.channel >= 0))[5])
    cut = jax.tree.map(lambda x: np.insert(x, s, x[s], axis=0), tape)
    cut.move[s] = Move.GIVEN
    assert sequence_of(cut) == sequence_of(tape)
    cut.trigger.channel[s] += 1
    assert sequence_hash(cut) != sequence_hash(tape)
