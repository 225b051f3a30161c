"""An engine process that loads nothing: for tests of what starts, watches and ends engines.

Run by path with one JSON object as its argument:
`status`      end with this status instead of loading, after writing `noise` to standard error
`loading`     number of health checks answered 503 before the first 200
`silent`      never tell the address
`stubborn`    ignore SIGTERM
`orphan`      do not watch standard input
`noise`       text for standard error
`arguments`   a file that gets the process's arguments, one per line
Besides `/health` it serves `/die/<status>` (ends), `/deaf` (closes its port, lives on), `/mute` (never answers again),
`/hang-up` (closes every connection without an answer from then on).
"""

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path


def main() -> int:
    options = json.loads(sys.argv[1])
    if options.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.get("arguments"):
        Path(options["arguments"]).write_text("\n".join(sys.argv[2:]), "utf-8")
    if not options.get("orphan"):
        threading.Thread(target=end_with_input, daemon=True).start()
    sys.stderr.write(options.get("noise", ""))
    sys.stderr.flush()
    if options.get("status") is not None:
        return int(options["status"])
    listener = socket.create_server(("127.0.0.1", 0))
    if not options.get("silent"):
        sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
    serve(listener, options.get("loading", 0))
    return 0


def serve(listener: socket.socket, loading: int) -> None:
    kept = []
    mute = hangs_up = False
    while True:
        connection, _ = listener.accept()
        kept.append(connection)
        if mute:
            continue
        try:
            path = connection.recv(4096).split(b" ")[1].decode()
        except (IndexError, OSError):  # a check that was given up before it asked
            continue
        if path.startswith("/die/"):
            os._exit(int(path.removeprefix("/die/")))
        if path == "/deaf":
            listener.close()
            connection.close()
            threading.Event().wait()
        if hangs_up := hangs_up or path == "/hang-up":
            connection.close()
            continue
        mute = path == "/mute"
        status = 503 if loading > 0 and path == "/health" else 200
        loading -= path == "/health"
        with suppress(OSError):  # nobody waits any more
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        connection.close()


def end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
