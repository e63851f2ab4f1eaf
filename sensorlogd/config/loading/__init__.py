"""The steps between the text of a file and a configuration; ``config.loader`` says in which order they are taken."""
