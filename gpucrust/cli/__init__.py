"""The command line. Expected errors are one line on standard error and exit status 2.

`app` has the application, its errors and what commands share; `targets` checks what may be written to, `progress` tells
where a run stands, `stopping` ends one, and `dry_run` says what one would cost. The others have a command each, or a
few; what takes long to import they import when they are called.
"""

from gpucrust.cli import doctor, export, init, inspect, masses, report, run, sensitivity  # each registers its commands
from gpucrust.cli.app import app, main

__all__ = ["app", "doctor", "export", "init", "inspect", "main", "masses", "report", "run", "sensitivity"]
