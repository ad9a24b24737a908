"""python -m gpucrust.cli."""

from gpucrust.cli import main

main()
