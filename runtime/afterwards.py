"""What is to be done once it is known how a transaction ended: after its commit, or after its rollback."""

from collections.abc import Callable

from sqlalchemy.orm import Session

Callback = Callable[[], object]


def after_commit(session: Session, callback: Callback) -> None:
    """Run `callback` once the session's transaction has committed; a rollback drops it. The disk may not have it yet."""
    _asked(session).append((True, callback))


def after_rollback(session: Session, callback: Callback) -> None:
    """Run `callback` once the session's transaction, or this part of it, is rolled back, or nobody can say whether it is."""
    _asked(session).append((False, callback))


def so_far(session: Session) -> int:
    """How much was asked for so far: where a part of the transaction begins, for `undone`."""
    return len(_asked(session))


def committed(session: Session) -> None:
    """Its transaction is."""
    _end(session, 0, committed=True)


def undone(session: Session, since: int = 0) -> None:
    """Its transaction is, or the part of it that began when so much had been asked for."""
    _end(session, since, committed=False)


def _asked(session: Session) -> list[tuple[bool, Callback]]:
    asked: list[tuple[bool, Callback]] = session.info.setdefault("afterwards", [])
    return asked


def _end(session: Session, since: int, *, committed: bool) -> None:
    asked = _asked(session)
    those = asked[since:]
    del asked[since:]
    for of_commit, callback in those:
        if of_commit is committed:
            callback()
