"""The authorities that clients and processes of tests trust: one that nobody has the key of."""

import os
from pathlib import Path

__all__ = ["one_certificate"]

_FILE = Path(__file__).with_name("nobody.pem")


def one_certificate() -> None:
    """Let whatever makes a TLS context from here on read one certificate instead of the system's hundreds.

    Each client of an SDK makes one or two, and so does each process that imports aiohttp, at 50 ms each. No test that
    calls this speaks TLS.
    """
    os.environ["SSL_CERT_FILE"] = str(_FILE)
