"""What libraries import only if it happens to be installed, and no process of ours uses: imported first, it is not loaded.

structlog tries rich, kombu yaml, tenacity tornado; they are there, since the command `treadle` and Flower need them. That is
110 modules, 5 MB of memory in each process. A task of yours may import them all the same.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within, an import of these fails as if they were not installed, unless they are loaded already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None is the import system's word for that
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


with without("rich", "yaml", "tornado"):
    import kombu.serialization  # noqa: F401
    import structlog  # noqa: F401
    import tenacity  # noqa: F401
