"""One resource a file. A route parses, makes one call into `jobs`, and returns."""
