"""`python -m pakhus.cli` is `pakhus`."""

from pakhus.cli import main

main()
