"""When it is done: what is due is released, what is lost is found, what is old is forgotten."""
