"""`python -m audit` is `t2i-audit`."""

from __future__ import annotations

import signal
import threading


def main() -> None:
    """Run the command line; an interrupt while its libraries are imported ends it quietly."""
    alone = threading.current_thread() is threading.main_thread()
    if alone and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from audit.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
