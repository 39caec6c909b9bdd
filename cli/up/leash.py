"""`python -m cli.up.leash PARENT COMMAND…`: become the command, and end when the parent ends, however it ends.

It is asked of the kernel here and not between fork and exec of the supervisor, where a process with threads must not run
Python; the wish outlives the exec.
"""

import os
import sys

from runtime.process import die_with_parent


def main() -> None:
    """Become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    die_with_parent(parent)
    os.execv(command[0], command)  # noqa: S606 - chosen by our supervisor


if __name__ == "__main__":
    main()
