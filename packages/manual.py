"""The manual page, and the completion of shells, made from the commands themselves: what they say is what the program does.

python packages/manual.py FOLDER      writes FOLDER/man/man1/sensorlogd.1 and what bash, zsh and fish look for beside it
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from sensorlogd import __version__
from sensorlogd.cli.main import VERBS, cli

SHELLS = {
    "bash": "bash-completion/completions/sensorlogd",
    "zsh": "zsh/site-functions/_sensorlogd",
    "fish": "fish/vendor_completions.d/sensorlogd.fish",
}
PLACES = """\
.SH FILES
.TP
.I sensorlogd.yaml, /etc/sensorlogd/sensorlogd.yaml
The configuration, unless \\fB\\-c\\fR or $SENSORLOGD_CONFIG names another.
.TP
.I /var/lib/sensorlogd/sensorlogd.db
The log of the service: one SQLite file.
.SH ENVIRONMENT
.TP
.B SENSORLOGD_CONFIG
The configuration, where \\fB\\-c\\fR is not given.
.TP
.B SENSORLOGD_DEBUG
Set to 1: show the trace of what goes wrong, too.
.TP
.B NO_COLOR
Set: no colours.
"""


def escaped(text: str) -> str:
    """Text that groff prints as it stands."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.splitlines())


def text_of(help_text: str | None) -> list[str]:
    """The paragraphs of a help text; those marked by ``\\b`` keep their lines."""
    lines: list[str] = []
    for part in (help_text or "").strip().replace("\f", "").split("\n\n"):
        kept = part.startswith("\b")
        body = part.removeprefix("\b").strip("\n")
        lines += [".PP", *([".nf", escaped(body), ".fi"] if kept else [escaped(" ".join(body.split()))])]
    return lines


def epilog(command: click.Command) -> list[str]:
    """Examples and exit statuses, as ``--help`` has them."""
    text = (command.epilog or "").strip("\n")
    return [".PP", ".nf", escaped(text.replace("\b\n", "\n").strip("\n")), ".fi"] if text else []


def options(ctx: click.Context) -> list[str]:
    """What follows a verb, one paragraph each."""
    lines = []
    for parameter in ctx.command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and "--help" not in parameter.opts:
            lines += [".TP", f".B {escaped(record[0])}", escaped(record[1]) or "\\&"]
    return lines


def verb(name: str, command: click.Command, parent: click.Context, heading: str) -> list[str]:
    """A verb and the verbs below it."""
    ctx = click.Context(command, info_name=name, parent=parent)
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    lines = [f'{heading} "{escaped(name if heading == ".SS" else ctx.command_path.removeprefix("sensorlogd "))}"']
    lines += [".PP", f".B {escaped(usage)}", *text_of(command.help), *options(ctx), *epilog(command)]
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            if found is not None and not found.hidden:
                lines += verb(below, found, ctx, ".SS ")
    return lines


def page() -> str:
    """All of it, as roff."""
    top = click.Context(cli, info_name="sensorlogd")
    lines = [
        f'.TH SENSORLOGD 1 "" "sensorlogd {__version__}" "User Commands"',
        ".SH NAME",
        "sensorlogd \\- log sensors into SQLite",
        ".SH SYNOPSIS",
        ".B sensorlogd",
        "[\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        *text_of(cli.help),
        ".PP",
        "Every verb explains itself, with examples: \\fBsensorlogd \\fIVERB\\fB \\-\\-help\\fR.",
        *options(top),
        *epilog(cli),
        ".SH VERBS",
    ]
    for name in VERBS:
        command = cli.get_command(top, name)
        if command is not None:
            lines += verb(name, command, top, ".SS")
    return "\n".join(lines) + "\n" + PLACES


def write(folder: Path) -> None:
    """Under ``folder``, which stands for /usr/share."""
    texts = {"man/man1/sensorlogd.1": page()}
    for shell, place in SHELLS.items():
        kind = get_completion_class(shell)
        if kind is None:
            raise SystemExit(f"click knows no completion for {shell}")
        texts[place] = kind(cli, {}, "sensorlogd", "_SENSORLOGD_COMPLETE").source().rstrip() + "\n"
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    write(Path(sys.argv[1]))
