"""The subject: what a job is, how it moves, what can go wrong, and the record of it all."""
