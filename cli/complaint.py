"""What the user is told instead of a traceback."""

from collections.abc import Sequence


class Complaint(Exception):
    """Something the user can put right: one sentence, then details if there are any. Ends the command with 1."""

    def __init__(self, sentence: str, details: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = tuple(details)
