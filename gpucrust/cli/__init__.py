"""The command line. Expected errors are one line on standard error and exit status 2. A module a group of commands."""

from gpucrust.cli import inspect, masses, run, sensitivity  # each registers its commands with `app`
from gpucrust.cli.app import app, main

__all__ = ["app", "inspect", "main", "masses", "run", "sensitivity"]
