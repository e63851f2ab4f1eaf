"""The secrets of a target, and how they are removed from texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from pydantic import SecretStr

MIN_SECRET_CHARS = 4  # letters; what is shorter is a part of every other word
MAX_TEXT_CHARS = 500  # of a text


class SendError(Exception):
    """The message was not delivered, as far as is known. The text is for people and contains no secret."""


def secret(given: SecretStr | None, file: str | None, secrets: list[str]) -> str:
    """The configured text, or the first line of ``file``; it is added to ``secrets``. Raises SendError if the file cannot be
    read."""
    if given is not None:
        found = given.get_secret_value()
    elif file is not None:
        try:
            found = Path(file).read_text(encoding="utf-8").splitlines()[0].strip()
        except (OSError, UnicodeError, IndexError) as error:
            raise SendError(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is empty or no text'}") from None
    else:
        return ""
    secrets.append(found)
    return found


def redacted(text: str, secrets: list[str]) -> str:
    """One line without any of them, nor their parts, however a library or a server spells them."""
    forms = {form for whole in secrets for part in _parts(whole) for form in _forms(part) if len(form) >= MIN_SECRET_CHARS}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:MAX_TEXT_CHARS]


def _parts(whole: str) -> Iterator[str]:
    """The secret itself, and the pieces between the separators of an address: password, parts of the path, parameters."""
    for text in {whole, whole.strip(), unquote(whole)}:
        yield text
        yield from re.split(r"[/?&=#:@\s]+", text)
        yield from re.split(r"://|[/?#]", text, maxsplit=3)
        yield from re.split(r"://|@", text)


def _forms(part: str) -> Iterator[str]:
    """The text itself, and the ways in which Python's ``repr`` and URLs spell it."""
    yield part
    yield repr(part)[1:-1]
    yield repr(part.encode("utf-8", "replace"))[2:-1]
    yield repr(part.encode("latin-1", "replace"))[2:-1]
    yield quote(part, errors="replace")
    yield quote(part, safe="", errors="replace")
