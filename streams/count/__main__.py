"""`python -m streams.count`: the count worker by itself, as `synclogs count` runs it."""

import sys

from streams import config, logs
from streams.count.agents import run

if __name__ == "__main__":
    settings = config.load()
    logs.configure(settings.log_level)
    sys.exit(run(settings))
