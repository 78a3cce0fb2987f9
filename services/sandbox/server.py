"""The sandbox on a port of its own."""

from pathlib import Path

import uvicorn

from services.sandbox.sandbox import Sandbox


def run(host: str = "127.0.0.1", port: int = 9000, path: Path | None = None, scale: int = 1) -> None:
    """Until interrupted; below http://host:port are /eu/api/books/v3/…, /eu/accounts/… and /sandbox/… ."""
    sandbox = Sandbox(path, scale=scale)
    try:
        uvicorn.run(sandbox.app, host=host, port=port, log_level="warning", access_log=False)
    finally:
        sandbox.close()
