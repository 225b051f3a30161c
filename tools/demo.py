"""Starts a server on a free port, asks it one question as Gemini and one as OpenAI, prints the answers, stops it.

`python tools/demo.py /path/to/localaik`. Needs nothing but the standard library, so that it can try out an installation
that holds nothing but localaik. Ends with status 0 only if both answers came and the server stopped cleanly.
"""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from typing import IO, Final

__all__ = ["main"]

_LISTENING: Final = re.compile(r"listening on (http://\S+)")
_HANG_SECONDS: Final = 120
_QUESTION: Final = "Hello!"


def main(program: str) -> int:
    """Run the demonstration with the program `localaik` at that path; the exit status."""
    with subprocess.Popen([program, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            url = _address(server.stdout)
            print(f"Gemini  {_ask_gemini(url)}")
            print(f"OpenAI  {_ask_openai(url)}")
        except (LookupError, OSError) as error:
            print(f"The demonstration failed: {error}", file=sys.stderr)
            server.kill()
            return 1
        server.send_signal(signal.SIGTERM)
        status = server.wait(_HANG_SECONDS)
    print(f"The server stopped with status {status}.")
    return status


def _address(output: IO[str] | None) -> str:
    """The URL in the server's first lines. The port is open then; the first answer waits for the model."""
    for line in output or ():
        print(line, end="")
        if found := _LISTENING.search(line):
            return found[1]
    raise LookupError("the server ended before it listened")


def _ask_gemini(url: str) -> str:
    body = {"contents": [{"role": "user", "parts": [{"text": _QUESTION}]}]}
    path = ("candidates", 0, "content", "parts", 0, "text")
    return _post(f"{url}/v1beta/models/gemini-2.5-flash:generateContent", body, path)


def _ask_openai(url: str) -> str:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": _QUESTION}]}
    return _post(f"{url}/v1/chat/completions", body, ("choices", 0, "message", "content"))


def _post(url: str, body: object, path: tuple[str | int, ...]) -> str:
    """What stands at `path` in the JSON answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=_HANG_SECONDS) as response:
        found = json.load(response)
    for step in path:
        found = found[step]
    return str(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "localaik"))
