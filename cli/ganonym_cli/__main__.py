"""`python -m ganonym_cli`: the same as `ganonym`."""

from ganonym_cli.app import main

main()
