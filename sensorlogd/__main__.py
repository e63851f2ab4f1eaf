"""``python -m sensorlogd``."""

if __name__ == "__main__":
    from sensorlogd.cli.main import main

    main()
