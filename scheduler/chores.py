"""Everything the scheduler does, and how often: the whole timetable of the house on one page."""

from runtime.settings import settings
from scheduler import bulk, checkpoint, dispatch, gauges, prune, publish, recurring, rescue
from scheduler.rounds import Chore

CHORES = (
    Chore("feed", 0.25, dispatch.Feed().go),  # what is due goes to its queue
    Chore("tick", 0.5, recurring.tick),  # schedules whose time has come
    Chore("publish", 0.5, publish.publish),  # events of our own
    Chore("forget_holds", 2.0, dispatch.Forget().look),
    Chore("find_lost", 2.0, dispatch.find_lost),  # hints that the broker has lost
    Chore("rescue", min(2.0, settings().lease.total_seconds() / 4), rescue.Rescue().look),  # jobs of dead workers
    Chore("expire", 2.0, prune.expire),
    Chore("act", 1.0, bulk.act),  # bulk actions
    Chore("write_back", 1.0, checkpoint.WriteBack().go),  # SQLite's log
    Chore("gauges", 15.0, gauges.refresh),
    Chore("free_forgotten", 60.0, dispatch.Forget.free_all),
    Chore("prune", 60.0, prune.prune),
    Chore("forget_journal", 60.0, prune.forget_journal),
)
