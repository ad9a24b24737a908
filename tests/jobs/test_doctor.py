"""`gpucrust doctor`: sound where the numbers agree, and not where they do not."""

import sys

import pytest

from gpucrust.cli import main
from gpucrust.jobs import doctor


def call(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpucrust", "doctor"])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_a_sound_and_an_unsound_installation(monkeypatch, capsys):
    assert call(monkeypatch) == 0
    text = capsys.readouterr().out
    assert "sound" in text
    assert "jaxlib" in text
    stored = doctor.stored_crusts()
    stored["mu_e"][3][50] *= 1.01
    monkeypatch.setattr(doctor, "stored_crusts", lambda: stored)
    assert call(monkeypatch) == 1
    assert "WRONG" in capsys.readouterr().out


def test_versions_known_to_be_wrong_are_named(monkeypatch, capsys):
    import jax

    monkeypatch.setattr(jax, "__version__", "0.10.2")
    assert call(monkeypatch) == 1
    assert "miscompiles" in capsys.readouterr().out
