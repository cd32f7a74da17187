"""`mizzle-async completion`: print a shell's script that completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mizzle_async.cli.exit_codes import EXIT_CODES

PROGRAM = "mizzle-async"
VARIABLE = "_MIZZLE_ASYNC_COMPLETE"
"""The variable by which the scripts ask for completions, as click derives it from the name of the program."""

LINES = {
    "bash": 'eval "$(mizzle-async completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(mizzle-async completion zsh)"    # in ~/.zshrc, after compinit',
    "fish": "mizzle-async completion fish | source    # in ~/.config/fish/config.fish",
}


@click.command(
    short_help="Print the script that completes words in a shell.",
    epilog="\b\n" + "\n".join(LINES.values()) + f"\n\n{EXIT_CODES}",
)
@click.argument("shell", type=click.Choice(sorted(LINES)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script of a shell that completes commands, options and files. Nothing is contacted."""
    kind = get_completion_class(shell)
    if kind is None:  # an extension of click's own table has removed it
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
