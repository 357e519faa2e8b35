# SPDX-License-Identifier: Apache-2.0
"""Entry point: the commands by topic, and what becomes of errors."""

import contextlib
import logging
import os
import re
import select
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import click

from truthmark.cli import interrupts
from truthmark.cli.command import State
from truthmark.cli.commands import TOPICS
from truthmark.cli.lazy_group import LazyGroup
from truthmark.cli.output import begin, echo_error
from truthmark.config.profile import DEVNET_CHAIN_ID
from truthmark.errors import ChainUnavailableError, ConfigError, TruthmarkError, did_you_mean
from truthmark.text import one_line

USAGE = 2
BUG = 70
"""`EX_SOFTWARE` of sysexits.h: an error that nobody foresaw."""
INTERRUPTED = 130
"""What shells give to a program that Ctrl-C ended."""
CLOSED_PIPE = 141
"""What shells give to a program whose output nobody reads any more, as of `| head`."""
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


class Root(LazyGroup):
    """The `truthmark` command itself."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by topic."""
        width = max(map(len, self.entries))
        for topic, names in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl(
                    [(name.ljust(width), entry.help) for name, entry in names.items()]
                )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where a local chain does not answer, say how to start it."""
        try:
            return super().invoke(ctx)
        except ChainUnavailableError as error:
            state = ctx.find_object(State)
            start = _how_to_start(state) if state is not None else None
            if start is None or "does not answer" not in str(error):
                raise
            raise ChainUnavailableError(f"{error}; start it with `{start}`") from error

    def elsewhere(self, ctx: click.Context, name: str) -> str:
        """Return in which group there is a command of this name."""
        groups: dict[str, str] = {}
        for above in self.list_commands(ctx):
            found = self.get_command(ctx, above)
            if isinstance(found, click.Group):
                groups |= {below: f"{above} {below}" for below in found.list_commands(ctx)}
        return f"; did you mean {groups[name]}?" if name in groups else ""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run, say what went wrong in one line, and exit with the error's own code."""
        arguments = list(sys.argv[1:] if args is None else args)
        begin()
        is_debugging = "--debug" in arguments
        logging.getLogger("truthmark").addHandler(logging.NullHandler())
        try:
            code = super().main(arguments, *rest, **{**options, "standalone_mode": False})
            # A pipe that nobody reads any more shows only now.
            if sys.stdout is not None:
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            if is_debugging and not isinstance(error, SystemExit):
                traceback.print_exc()
            code = _report(error, as_json="--json" in arguments)
        sys.exit(code if isinstance(code, int) else 0)


def _how_to_start(state: State) -> str | None:
    """Return what starts the chain again, if it is one of this machine's."""
    try:
        settings = state.settings
        profile = settings.chain_profile()
    except ConfigError:
        return None
    hosts = {urlsplit(url).hostname for url in profile.rpc}
    if profile.chain_id != DEVNET_CHAIN_ID or not hosts <= _LOOPBACK:
        return None
    folder = settings.home.parent
    known = shlex.quote(str(folder)) if (folder / "devnet.json").is_file() else "FOLDER"
    return f"truthmark devnet up {known}"


def _report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, in words or as JSON but never both, and return the exit code."""
    # click turns a closed pipe into the code 1 before anyone else sees it.
    if isinstance(error, SystemExit) and error.code == 1 and _leave_closed_pipes():
        return CLOSED_PIPE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError) and _leave_closed_pipes():
        return CLOSED_PIPE
    kind, text, code = _explain(error)
    text = one_line(text)
    with contextlib.suppress(OSError):
        if as_json and echo_error(kind, text, code):
            if sys.stdout is not None:
                sys.stdout.flush()
        else:
            click.echo(text if code == INTERRUPTED else f"error: {text}", err=True)
    _leave_closed_pipes()
    return code


def _leave_closed_pipes() -> bool:
    """Whether nobody reads the output any more; nothing is written there from now on.

    Else the interpreter would print another error when it flushes at the end.
    """
    is_closed = False
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is no such pipe
            number = stream.fileno()
            poll = select.poll()
            poll.register(number, 0)
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                is_closed = True
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return is_closed


def _explain(error: BaseException) -> tuple[str, str, int]:
    """Return kind, text and exit code of an error."""
    kind = type(error).__name__
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "Interrupted", "stopped; run the same command again to go on", INTERRUPTED
    if isinstance(error, click.UsageError):
        name = error.ctx.command_path if error.ctx else "truthmark"
        return "UsageError", _then(_usage(error), f"see `{name} --help`"), USAGE
    if isinstance(error, click.ClickException):
        return "UsageError", error.format_message(), USAGE
    if isinstance(error, TruthmarkError):
        return kind, str(error), error.exit_code
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return "OSError", f"{place}{error.strerror or error}; check the path and its rights", 1
    return (
        "Bug",
        f"this should not happen ({kind}: {error}); run it again with --debug and report what it "
        "shows",
        BUG,
    )


def _then(text: str, advice: str) -> str:
    return f"{text} ({advice})" if text.endswith("?") else f"{text.rstrip('.')}; {advice}"


def _usage(error: click.UsageError) -> str:
    """Return what was written wrongly, and what may have been meant."""
    if isinstance(error, click.NoSuchOption):
        if re.match(r"-[0-9.]", error.option_name):
            return 'amounts cannot be below 0; write one like "25 TUSD"'
        hint = did_you_mean(error.option_name, error.possibilities or ())
        return f"No such option {error.option_name}{hint}"
    text = re.sub(r"a valid integer( range)?", "a whole number", error.format_message())
    return re.sub(r"a valid float( range)?", "a number", text)


@click.group(
    cls=Root,
    entries={name: entry for names in TOPICS.values() for name, entry in names.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="truthmark", message="truthmark %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Sell data without having to trust anyone, and buy it.

    Amounts are written in token units with their symbol, such as "25 TUSD"; data sets are named by
    number, such as 17 (its newest version) or 17@2. Every command that reads takes --json.
    """
    ctx.ensure_object(State)


def main() -> NoReturn:
    """Run the command line."""
    interrupts.listen()
    cli.main()
