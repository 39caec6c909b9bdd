"""`python -m cli` is `treadle`, also where no script was installed."""

from cli.app import main

main()
