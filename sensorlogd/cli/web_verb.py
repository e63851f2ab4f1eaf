"""``web``: the dashboard and its API on a database, without a daemon."""

from __future__ import annotations

from pathlib import Path

import click

from sensorlogd.cli.reading import config_option, database, db_option, fail


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  sensorlogd web --db old.db                          look at a copied database
  sensorlogd web -c sensorlogd.yaml --listen :0       on any free port
""",
)
@config_option
@db_option
@click.option("--listen", metavar="HOST:PORT", default=None, help="default: 127.0.0.1:8321")
def web(config_file: Path | None, db: str | None, listen: str | None) -> None:
    """Serve the dashboard and the API of a database; the daemon serves them by itself."""
    from sensorlogd.web import server
    from sensorlogd.web.settings import DEFAULT_LISTEN, Settings, split_listen

    try:
        host, port = split_listen(listen or DEFAULT_LISTEN)
        settings = Settings(database(config_file, db), host, port)
        with server.bind(settings) as listener:
            click.echo(f"serving {settings.database} at {server.url_of(listener, settings.base_path)}", err=True)
            server.make_server(settings).run(sockets=[listener])
    except (OSError, ValueError) as error:
        fail(str(error))
