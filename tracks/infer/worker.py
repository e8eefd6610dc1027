"""The process that measures one cell of the infer track: JSON job on stdin, JSON lines on stdout."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback

from bench.contract import Unsupported, UserError
from bench.contract.errors import method_line
from bench.timing.global_state import unchanged
from tracks.infer.measure import measure


def main() -> None:
    for end in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and schedulers reach the whole group; the parent decides
        signal.signal(end, signal.SIG_IGN)
    protocol = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the parent reads the protocol alone; whatever a library prints goes to standard error

    def say(kind: str, content: object) -> None:
        print(json.dumps([kind, content]), file=protocol, flush=True)

    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        with unchanged(job["algo"]):
            outcome = measure(job, lambda text, fraction: say("progress", (text, fraction)), lambda at: say("mark", at))
        say("outcome", outcome)
    except Unsupported as reason:
        say("unsupported", str(reason))
    except UserError as error:
        say("user_error", str(error))
    except Exception as error:
        sys.stderr.write(traceback.format_exc())
        kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
        say("failed", f"{kind}{error}{method_line(error)}")


def end_with_parent() -> None:
    """Leave when stdin closes: the parent is gone, and nobody will read the result."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
