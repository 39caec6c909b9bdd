"""The sandbox of `treadle up --sandbox`: stand-ins for the providers on this machine, and what they caught on one page."""
