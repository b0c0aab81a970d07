"""The command `python -m streams.devstack.front`: opens the data directory, prints its address, serves until SIGTERM.

Exit codes: 0 after SIGTERM or SIGINT, 2 where the port or the data directory cannot be had (one line on stderr).
"""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from streams.devstack.datadir import DataDirRefused

# How long running requests may finish after SIGTERM; everything the front acknowledged is safe in any case.
_GRACE_SECONDS = 5.0
_MIB = 1024 * 1024
_ENDS = (signal.SIGTERM, signal.SIGINT)


def _default_memory() -> int:
    """MiB: 3 GiB, or two fifths of a smaller machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    return min(3072, machine * 2 // 5)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m streams.devstack.front", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory, made if missing")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one (default)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="ClickHouse configuration: profiles and grants")
    parser.add_argument(
        "--memory", type=int, default=_default_memory(), metavar="MIB", help="the engine's limit (default %(default)s)"
    )
    return parser.parse_args()


def _refuse(why: str) -> int:
    print(f"clickhouse front: {why}", file=sys.stderr)
    return 2


def main() -> int:
    """Runs the front in this process; returns its exit code."""
    options = _arguments()
    # Blocked here, inherited by every thread, and waited for below. The engine starts threads when it is imported; one
    # that took the signal would end the process at once, or not at all.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    from streams.devstack.front.engine import Engine
    from streams.devstack.front.server import Front

    if options.config is not None and not options.config.is_file():
        return _refuse(f"--config {options.config} is no file")
    try:
        front = Front(options.host, options.port)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        return _refuse(f"cannot listen on {options.host}:{options.port}: {why}; choose another --port")
    try:
        engine = front.engine = Engine(options.data, options.memory * _MIB, options.config)
    except DataDirRefused as error:
        return _refuse(str(error))
    threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"http://{options.host}:{front.port}", flush=True)
    signal.sigwait(_ENDS)
    front.shutdown()
    front.server_close()
    if front.wait_idle(_GRACE_SECONDS):
        engine.close()
    sys.stdout.flush()
    # Connections kept alive have threads waiting in the engine's library; a normal exit would tear it down under them.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
