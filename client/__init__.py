"""A client of Treadle's API, sync and async: typed, and made from the API's own document.

    from client import Treadle

    with Treadle("http://127.0.0.1:8000", key) as treadle:
        job = treadle.create_job(task="http.request", payload={"url": "https://example.com"})
        print(treadle.wait(job["id"])["result"])

Every operation of the API is a method by its own name. What it takes and gives are typed dictionaries (`client.models`).
It imports nothing of the house: a service that only sends jobs loads httpx2 and tenacity, no Celery.
"""

from client.errors import Refused, StillRunning, Unreachable
from client.manners import FINAL
from client.treadle import AsyncTreadle, Treadle

__all__ = ["FINAL", "AsyncTreadle", "Refused", "StillRunning", "Treadle", "Unreachable"]
