"""`python -m tests.delivery [--seed N] [--stack FILE] [--seconds S] [TEST ...]`: the fault suite, or a run of it again.

TEST is the name of a test as it was printed, with its parameters, or the beginning of one, or the name of a file;
without one all of them run, and with --stack or --seconds those of random faults.
"""

import argparse
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def main() -> int:
    """pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.delivery", description=__doc__)
    parser.add_argument("--seed", type=int, help="the seed that was printed; without one each test draws its own")
    parser.add_argument("--stack", type=Path, metavar="FILE",
                        help="stack.json of a running `synclogs dev`: random faults to that")  # fmt: skip
    parser.add_argument("--seconds", type=float, help="how long random faults go on")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="names or parts of names")
    options = parser.parse_args()
    names = options.tests or (["test_random"] if options.stack or options.seconds else [])
    arguments = [str(HERE), "-s", "-p", "no:cacheprovider", "-o", "timeout=0"]
    if options.seed is not None:
        arguments += ["--fault-seed", str(options.seed)]
    if options.stack is not None:
        arguments += ["--fault-stack", str(options.stack)]
    if options.seconds is not None:
        arguments += ["--fault-seconds", str(options.seconds)]
    for name in names:
        arguments += ["--fault-test", name]
    return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
