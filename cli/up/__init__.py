"""`treadle up`: everything on this machine with one command, and one real job to show that it works."""
