"""The one command, `synclogs`: every part of the system, and what an operator does with it.

Commands exit with 0 when done, 1 when what they looked at is not as it should be, 2 when they could not do it.
"""

import sys

import click

from streams.cli import history, operate, reasons, run, stack, traffic
from streams.errors import SyncLogsError


class _Commands(click.Group):
    """In the order of use, and with our own errors as one sentence instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SyncLogsError as error:
            click.echo(f"synclogs {ctx.invoked_subcommand}: {error}", err=True)
            sys.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="synclogs")
def main() -> None:
    """Consolidated sync logs: what became of every record synced between two business systems.

    `synclogs dev` starts all of it on this machine. Settings come from the environment, SYNCLOGS_..., see the README.
    """


for module in (stack, traffic, run, operate, reasons, history):
    for command in module.COMMANDS:
        main.add_command(command)
