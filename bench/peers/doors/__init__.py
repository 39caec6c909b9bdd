"""Ways in that a queue does not bring along, apart from what its workers import."""
