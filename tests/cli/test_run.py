"""What `gpucrust run` tells while it runs, and before it would."""

import json
import pickle
import re

from gpucrust.jobs.costs import Calibration


def test_json_lines(work, played_back, tmp_path, command):
    status, out, _ = command("run", work / "s.toml", "-o", tmp_path / "x.nc", "--json", "--save-every", 8)
    assert status == 0
    events = [json.loads(line) for line in out.splitlines()]
    progress = [e for e in events if e["event"] == "progress"]
    assert progress[-1] | {"done": 60, "failed": 30, "total": 60, "fraction": 1.0} == progress[-1]
    last = events[-1]
    assert (last["event"], last["output"]) == ("finished", str(tmp_path / "x.nc"))
    assert last["members"] == {"ok": 40, "chart_edge": 40}


def test_the_summary_counts_failures_and_quiet_is_quiet(work, played_back, tmp_path, command):
    arguments = ["run", work / "s.toml", "-o"]
    status, out, err = command(*arguments, tmp_path / "x.nc", "--save-every", 8)
    assert status == 0
    assert "60/60, 30 failed" in err
    assert "chart_edge" in out
    assert "40" in out
    assert command(*arguments, tmp_path / "y.nc", "--quiet") == (0, "", "")


def test_dry_run_tells_members_evolutions_chunks_and_costs(work, played_back, tmp_path, command, monkeypatch):
    evolution = pickle.loads((work / "evolutions").read_bytes())[1]
    monkeypatch.setattr("gpucrust.jobs.costs.evolve", lambda *_, **__: evolution)
    arguments = ["run", work / "s.toml", "-o", tmp_path / "x.nc", "--dry-run", "--save-every", 8]
    status, out, _ = command(*arguments)
    assert status == 0
    assert "80 members, 60 distinct evolutions, 42 pressures; 8 chunks of 8" in out
    assert "g: 2: 1e+14, 2e+14" in out
    for name in ("memory", "disk", "time"):
        assert f"{name}: about" in out
    status, out, _ = command(*arguments, "--json")
    (event,) = [json.loads(line) for line in out.splitlines()]
    assert (event["members"], event["evolutions"], event["chunks"]) == (80, 60, 8)
    assert event["seconds"] > 0
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("gpucrust.jobs.costs.calibrate", lambda *_: Calibration(0.0, 0.0, False))
    assert "time: more than can be foretold" in command(*arguments)[1]
    assert json.loads(command(*arguments, "--json")[1])["seconds"] is None
    monkeypatch.setattr("gpucrust.jobs.costs.free_disk", lambda _: 1000)
    status, _, err = command(*arguments)
    assert status == 2
    assert re.search(r"--set output.profiles=false and about \d members would fit", err)
