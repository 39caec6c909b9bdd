"""`python -m cli.sandbox PORT SMTP_PORT FILE`: the sandbox, and the accounts that lead to it in that file."""

import json
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from cli.sandbox.caught import Caught
from cli.sandbox.post_office import PostOffice
from cli.sandbox.server import Sandbox
from cli.sandbox.stand_in import stand_ins

HOST = "127.0.0.1"


def main(port: int, smtp_port: int, file: Path) -> None:
    """Serve until the process is ended."""
    known = stand_ins()
    caught = Caught(known)
    with Sandbox((HOST, port), caught) as server, PostOffice((HOST, smtp_port), caught) as office:
        accounts: dict[str, object] = {"smtp": {"url": f"smtp://{HOST}:{smtp_port}"}}
        for name, stand_in in known.items():
            with suppress(ImportError):  # nor can the provider be called without the library
                accounts[name] = stand_in.fields(f"{server.url}/{name}")
        _write(file, json.dumps(accounts, indent=2))
        threading.Thread(target=office.serve_forever, daemon=True).start()
        server.serve_forever()


def _write(file: Path, text: str) -> None:
    """Whole or not at all: workers may read it at any moment."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.chmod(0o600)
    os.replace(draft, file)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
