"""`python -m share_actors.cli`: the command line without the installed script."""

from share_actors.cli import main

main()
