"""One file a kind of provider, each with STAND_INS."""
