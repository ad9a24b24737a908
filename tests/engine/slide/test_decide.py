"""Outcomes of a step of the slide engine: one for whatever a trial turns out to be, and what each of them means."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.engine.slide.decide import ACTS, Act, Outcome, act_of, outcome_of

FACTS = ("solved", "beyond", "moves", "possible", "found", "ended", "uses_up", "again")
"""What an outcome follows from; the last two of a packet: whether it ends, and whether its net uses anything up."""


@pytest.fixture(scope="module")
def cases():
    """All combinations of facts that can be: facts by name, and the outcome and its acts."""
    rows = np.array(list(itertools.product([False, True], repeat=len(FACTS))))
    case = dict(zip(FACTS, rows.T, strict=True))
    accepted = case["solved"] & ~case["beyond"]
    case |= {"accepted": accepted, "follows": accepted & case["found"]}
    case |= {"under_way": case["follows"] & ~case["ended"], "arrived": case["follows"] & case["ended"]}
    can_be = ~case["again"] | (accepted & case["moves"] & ~case["under_way"])  # only accepted moves are bisected
    can_be &= case["moves"] | ~case["beyond"]  # thresholds are passed by moves
    case = {name: values[can_be] for name, values in case.items()}

    def outcome(solved, beyond, moves, possible, arrived, under_way, uses_up, again):
        verdict = SimpleNamespace(solved=solved, beyond=beyond, moves=moves, urgent=SimpleNamespace(found=possible))
        net = SimpleNamespace(Y=jnp.where(uses_up, jnp.array([-1.0, 1.0]), jnp.array([0.0, 1e-12])))
        return outcome_of(verdict, SimpleNamespace(arrived=arrived, under_way=under_way, net=net), again)

    names = ("solved", "beyond", "moves", "possible", "arrived", "under_way", "uses_up", "again")
    outcomes = jax.vmap(outcome)(*(jnp.asarray(case[name]) for name in names))
    return SimpleNamespace(**case), np.asarray(outcomes), Act(*(np.asarray(x) for x in jax.vmap(act_of)(outcomes)))


def test_the_table_has_every_outcome_at_its_number():
    assert list(ACTS) == list(Outcome)
    assert [int(outcome) for outcome in ACTS] == list(range(len(Outcome)))


def test_no_two_outcomes_mean_the_same_but_those_that_differ_in_the_tables_in_force():
    by_meaning = {}
    for outcome, act in ACTS.items():
        by_meaning.setdefault(act, []).append(outcome)
    assert [same for same in by_meaning.values() if len(same) > 1] == [[Outcome.ARRIVE, Outcome.GIVE_UP]]


def test_what_an_outcome_means_excludes_the_rest():
    """A trial is committed to begin something or to look again; else it waits, or is tried again. One of all these."""
    for outcome, act in ACTS.items():
        again = act.elsewhere or act.counts
        assert act.moves + act.burns + act.rests + act.waits + again == 1, outcome
        assert act.commits == act.moves + act.burns + act.rests, outcome


def test_every_outcome_happens_and_is_what_the_facts_say(cases):
    f, outcome, act = cases
    assert set(outcome) == set(Outcome)
    goes = f.accepted & ~f.under_way & ~f.again
    returned = goes & f.arrived & ~f.uses_up & ~(f.moves & f.possible)
    for name, expected in {
        "commits": goes,
        "moves": goes & ~f.possible & ~returned,
        "burns": goes & ~f.moves & f.possible & ~returned,
        "rests": (goes & f.moves & f.possible) | returned,
        "waits": f.under_way,
        "elsewhere": (f.solved & f.beyond) | f.again,
        "counts": ~f.accepted,
    }.items():
        np.testing.assert_array_equal(getattr(act, name), expected, err_msg=name)
    np.testing.assert_array_equal(outcome == Outcome.GIVE_UP, returned)
    np.testing.assert_array_equal(outcome == Outcome.IMPROVE, ~f.solved)
