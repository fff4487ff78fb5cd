"""`python -m share_actors.cli`: the command line where no script was installed."""

from share_actors.cli import main

main()
