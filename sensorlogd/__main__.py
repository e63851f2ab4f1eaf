"""``python -m sensorlogd``, and what the console script calls."""

from sensorlogd.processes import interrupts


def main() -> None:
    """Run the verb of the command line. Ctrl-C while modules are loaded ends it without a traceback."""
    interrupts.end_at_once()
    from sensorlogd.cli.main import main as run_verb

    run_verb()


if __name__ == "__main__":
    main()
