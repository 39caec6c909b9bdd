"""How long a peer may say nothing before it counts as gone. Linux by itself waits two hours, or a quarter of one."""

import socket

IDLE = 5  # seconds of silence before the first probe
INTERVAL = 2  # seconds between probes
PROBES = 3
UNACKNOWLEDGED = 5000  # milliseconds that sent data may stay unconfirmed
CONNECT = 3  # seconds for a connection to come about


def socket_options() -> dict[int, int]:
    """The same as options of a TCP socket, as far as this system has them."""
    wanted = {
        "TCP_KEEPIDLE": IDLE,
        "TCP_KEEPINTVL": INTERVAL,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED,
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
