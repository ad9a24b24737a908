"""The command line. Expected errors are one line on standard error and exit status 2. A module a group of commands."""

from gpucrust.cli import doctor, export, init, inspect, masses, report, run, sensitivity  # each registers its commands
from gpucrust.cli.app import app, main

__all__ = ["app", "doctor", "export", "init", "inspect", "main", "masses", "report", "run", "sensitivity"]
