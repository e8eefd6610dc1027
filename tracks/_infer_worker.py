"""The process that measures one cell of the infer track: JSON job on stdin, JSON lines on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback

from bench.nouns import Unsupported, UserError
from tracks._infer_measure import measure

PROTOCOL = os.fdopen(os.dup(1), "w")
"""The parent reads this; whatever a library prints goes to standard error instead."""
os.dup2(2, 1)


def say(kind: str, content: object) -> None:
    print(json.dumps([kind, content]), file=PROTOCOL, flush=True)


def end_with_parent() -> None:
    """Leave when stdin closes: the parent is gone, and nobody will read the result."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        say("outcome", measure(job, lambda text, fraction: say("progress", (text, fraction))))
    except Unsupported as reason:
        say("unsupported", str(reason))
    except UserError as error:
        say("user_error", str(error))
    except Exception as error:
        print(traceback.format_exc(), file=sys.stderr)  # noqa: T201
        say("failed", f"{type(error).__name__}: {error}" if not isinstance(error, RuntimeError) else str(error))


if __name__ == "__main__":
    main()
