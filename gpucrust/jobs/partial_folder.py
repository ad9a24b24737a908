"""The folder of a run to a file: OUT.partial beside OUT, from which a run that was stopped goes on.

It holds the `store`, a log, a lock, and the result while it is written. Nothing depends on clocks or host names.
"""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import socket
from pathlib import Path
from typing import IO, Any, Self

from gpucrust.jobs.store import Store, StoreError
from gpucrust.results.dataset import RunInfo

CONTENTS = ("store", "new", "log.jsonl", "written.nc", "written.zarr", "replaced")
"""Names of what runs put into such a folder, besides its lock; anything else in it is left alone."""


class PartialFolder:
    """OUT.partial, held by one run at a time."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".partial")
        self._lock: IO[str] | None = None

    @property
    def store(self) -> Path:
        """The Zarr group."""
        return self.path / "store"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Make the folder and lock it; raises StoreError if another run has.

        The kernel releases the lock when a run ends, however it ends, so no lock is ever stale. What the file says
        of its holder is for people.
        """
        while True:
            self.path.mkdir(exist_ok=True)
            lock = open(self.path / "lock", "a+")  # noqa: SIM115  (held until release)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = " ".join(lock.read().split()) or "unknown"
                lock.close()
                raise StoreError(f"{self.target}: another run is writing it ({holder})") from None
            try:
                if os.path.samestat(os.fstat(lock.fileno()), os.stat(lock.name)):
                    break
            except FileNotFoundError:
                pass  # the run before has just removed it
            lock.close()
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}, since {_now()}\n")
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Let go of the lock; the folder goes too if nothing is saved in it."""
        if self._lock is not None:
            if not self._worth_keeping():
                self.remove()
            self._lock.close()
            self._lock = None

    def _worth_keeping(self) -> bool:
        try:
            return self.store.exists() and Store(self.store).status().size > 0
        except StoreError:
            return True  # for its owner to look at

    def discard(self) -> None:
        """Remove what an earlier run left, but for the lock."""
        for name in CONTENTS:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder, unless there is something in it that no run has put there."""
        self.discard()
        (self.path / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def log(self, event: str, **details: Any) -> None:
        """Add a line to the log."""
        line = json.dumps({"time": _now(), "event": event, **details})
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def info(self) -> RunInfo:
        """How the dataset came about, as the log tells it: devices, the time of all runs, what else happened."""
        entries = self.history()
        devices = dict.fromkeys(e["device"] for e in entries if "device" in e)
        wall_time, last = 0.0, 0.0
        for e in entries:
            if e["event"] in ("started", "resumed"):
                wall_time, last = wall_time + last, 0.0
            last = e.get("elapsed", last)
        lines = [_sentence(e) for e in entries if e["event"] != "chunk"]
        return RunInfo("; ".join(devices), wall_time + last, tuple(lines))

    def history(self) -> list[dict[str, Any]]:
        """The log; a line that a killed run left unfinished is skipped."""
        entries = []
        try:
            text = (self.path / "log.jsonl").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        for line in text.splitlines():
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return entries


def _sentence(entry: dict[str, Any]) -> str:
    details = ", ".join(f"{k} {v}" for k, v in entry.items() if k not in ("time", "event"))
    return f"{entry['time']} {entry['event']}: {details}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
