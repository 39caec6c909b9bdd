"""The laboratory with each part on a host of its own, in a network that can be cut."""

import socket
from pathlib import Path
from typing import Any

import httpx2

from tests.laboratory import Lab, Part
from tests.networks import Host, Network, RemotePostgres, RemoteValkey
from tests.servers import wait_until
from tests.third_party import ThirdParty


class SpreadLab(Lab):
    """Two APIs, workers and schedulers. The test reaches APIs, database and broker whatever is cut; the parts do not."""

    def __init__(
        self, network: Network, database: RemotePostgres, broker: RemoteValkey, folder: Path, **settings: str
    ) -> None:
        self.network, self.folder = network, folder
        url = database.create_database()
        super().__init__(url, broker, folder, database_url=database.remote(url), **settings)
        self.third_party.close()
        self.third_party = ThirdParty(network.listen())
        self.hosts = {"database": database.host, "broker": broker.host}
        self._place(self.api)
        command = ["uvicorn", "api.app:app", "--uds", str(folder / "api1"), "--no-access-log"]
        self.other_api = Part("api1", command, self.environment, lambda: _is_ready(self.other_client, folder / "api1"))
        self.other_client = self.new_client(transport=httpx2.HTTPTransport(uds=str(folder / "api1")))

    def start(self) -> "SpreadLab":
        """Two of each."""
        for _ in range(2):  # they need no API, and may start while it does
            self.add_worker()
            self.add_scheduler()
        self.api.start()
        self._add(self.other_api)
        wait_until(self._worker_lives, 45, "both workers to join")
        return self

    def close(self) -> None:
        self.other_client.close()
        super().close()

    def new_client(self, **options: Any) -> httpx2.Client:
        return super().new_client(**{"transport": httpx2.HTTPTransport(uds=str(self.folder / "api"))} | options)

    def host(self, part: str) -> Host:
        """Where a part is: "api", "api1", "worker0", "scheduler1", "database", "broker"."""
        return self.hosts[part]

    def _place(self, part: Part) -> None:
        self.hosts[part.name] = self.network.add_host()
        part.entrance = self.hosts[part.name].namespace.way_in

    def _add(self, part: Part) -> Part:
        self._place(part)
        return super()._add(part)

    def _door(self) -> list[str]:
        return ["--uds", str(self.folder / "api")]

    def _api_answers(self) -> bool:
        return _is_ready(self.client, self.folder / "api")


def _is_ready(client: httpx2.Client, door: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:  # httpx would leave a socket open that nobody answers
        return probe.connect_ex(str(door)) == 0 and client.get("/readyz").status_code == 200
