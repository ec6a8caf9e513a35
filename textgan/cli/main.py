"""The command `textgan`: finds the subcommand, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import click

from textgan import __version__
from textgan.cli.progress import is_alone, is_first, is_first_here, printable
from textgan.errors import ElsewhereError, TextganError, UsageError, lacks_memory, near_miss

LONGEST = 2000  # of an error. [characters]


class Entry(NamedTuple):
    """Where a command lives, and its line in the overview, which must not cost an import."""

    module: str
    summary: str


COMMANDS = {
    "train": Entry("textgan.cli.train", "Train a GAN on text, pictures or toy points."),
    "generate": Entry("textgan.cli.generate", "Print new lines, or write new pictures, from a trained model."),
    "interpolate": Entry("textgan.cli.interpolate", "Show the lines or pictures between two seeds, or around one."),
    "report": Entry("textgan.cli.report", "Measure samples against held-out text or pictures."),
    "compare": Entry("textgan.cli.compare", "Measure several runs side by side, those on text beside n-gram models."),
    "sweep": Entry(
        "textgan.cli.sweep", "Train a grid of settings and seeds, several at a time, to one table and plot."
    ),
    "corpora": Entry("textgan.cli.corpora", "List the corpora, and what of them is on this machine."),
    "methods": Entry("textgan.cli.methods", "List the methods that can be chosen: formula, paper, setting."),
    "prepare": Entry("textgan.cli.prepare", "Turn a corpus into rows on disk, which train otherwise does by itself."),
    "bench": Entry("textgan.cli.bench", "Time training, sampling and more on this machine."),
    "config": Entry("textgan.cli.config", "Show the settings, what they mean, and which layer set them."),
}

EPILOG = """\b
Start here:
  textgan train                          five minutes on two cores, on Python's own documentation
  textgan generate -n 20                 twenty lines from the newest run
  textgan report                         its n-grams beside real text and n-gram models

\b
Your own text, one sample a line:
  textgan train --corpus names.txt -s text.length=16 --minutes 3

\b
Pictures:
  textgan train --corpus digits          minutes on two cores; --corpus images --data FOLDER takes your own
  textgan generate -n 64 --out grid.png  as one picture; --out FOLDER/ writes single files

\b
Exit codes: 0 fine, 1 bad data or a runtime error, 2 usage, 3 a number beyond its limit, 4 diverged, 5 corrupt
checkpoint or model, 130 and 143 stopped by SIGINT and SIGTERM after saving."""


class Commands(click.Group):
    """A group that imports a command's module only when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which one uses them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command: the attribute of its module that bears its name."""
        if cmd_name not in COMMANDS:
            raise click.UsageError(f"no such command {cmd_name!r}{near_miss(cmd_name, COMMANDS)}", ctx)
        command: click.Command = getattr(import_module(COMMANDS[cmd_name].module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def textgan(ctx: click.Context) -> None:
    """Train, sample, measure and compare GANs: on discrete sequences, as text, DNA and molecules, and on pictures."""
    if ctx.invoked_subcommand != "train" and not is_alone():
        raise UsageError(
            f"{ctx.invoked_subcommand} is the work of one process; start it without torchrun, or unset WORLD_SIZE"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; bad input ends in one line on stderr, never in a traceback."""
    _spell_out()
    try:
        return int(textgan.main(arguments, prog_name="textgan", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        return _fail(_usage(error), error.exit_code)
    except ElsewhereError as error:
        return error.exit_code
    except TextganError as error:
        return _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except OSError as error:
        return _fail(_trouble(error), 1)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        return _fail("not enough memory; ask for less, or give the process more", 1)


def _spell_out() -> None:
    """Have signs that stdout and stderr cannot write, as they are not UTF-8, spelt out as in Python: \\u2207."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and codecs.lookup(stream.encoding).name != "utf-8":
            reconfigure(errors="backslashreplace")


def _fail(message: str, code: int) -> int:
    """Say what is wrong; a wrong command is that of all processes of a run, and one a machine says so."""
    if len(message) > LONGEST:  # a name from elsewhere is so long; the end says what to do
        message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 2 :]}"
    where = "" if is_first() else f"process {os.environ['RANK']}: "
    if code != UsageError.exit_code or is_first_here():
        click.echo(printable(f"textgan: error: {where}{message}"), err=True)
    return code


def _usage(error: click.ClickException) -> str:
    """Click's complaint in one line, with the help page that answers it."""
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context else ""
    return " ".join(error.format_message().split()).rstrip(".") + hint


def _trouble(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full{_at(error)}; free some space, or write elsewhere with --run, --out or TEXTGAN_CACHE"
    return f"{error.strerror or error}{_at(error)}"


def _at(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""
