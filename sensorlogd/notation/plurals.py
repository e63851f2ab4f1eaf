"""Numbers with their nouns: ``1 reading``, ``2 readings``, ``0 readings``."""

from __future__ import annotations


def plural(n: int, one: str, many: str | None = None) -> str:
    """The word that follows the number ``n``: ``one`` after 1, else ``many``, which is ``one`` with an s where it is not given.

    A verb can be a part of both: ``plural(n, "reading is", "readings are")``.
    """
    return one if n == 1 else f"{one}s" if many is None else many
