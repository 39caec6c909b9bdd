"""The hand: the command `treadle`."""
