"""Sends one message to one target. No error text of this module contains a secret of the target.

A message is one JSON object (``notifications.message``): the body of a POST, or the standard input of a command. Apprise gets its
title and text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from sensorlogd import __version__, extras
from sensorlogd.alarms import processes
from sensorlogd.alarms.notifying import apprise_child
from sensorlogd.alarms.secrecy import MIN_SECRET_CHARS, SendError, redacted, secret
from sensorlogd.config.alarms import TargetOptions
from sensorlogd.processes.module_command import module_command

__all__ = ["SendError", "fetch", "send"]

_AGENT = {"User-Agent": f"sensorlogd/{__version__}"}


def send(options: TargetOptions, message: Mapping[str, Any]) -> None:
    """Send ``message`` to the target. Raises SendError if that fails. Ends soon after ``timeout`` of the target at the latest."""
    secrets: list[str] = []
    try:
        if options.command:
            secrets += _from_environment(options.command)
            _send_to_command(options.command, options.timeout / 1e6, message)
        elif options.way == "webhook":
            _send_to_webhook(options, message, secrets)
        else:
            _send_by_apprise(options, message, secrets)
    except SendError as error:
        raise SendError(redacted(str(error), secrets)) from None
    except Exception as error:  # whatever a library raises: it may hold an address
        raise SendError(redacted(f"{type(error).__name__}: {error}", secrets)) from None


def fetch(url: SecretStr | None, file: str | None, timeout_s: float) -> None:
    """GET an address that is a secret; what it answers is not looked at. Raises SendError."""
    from sensorlogd.alarms import webhook

    secrets: list[str] = []
    try:
        webhook.ask(secret(url, file, secrets), _AGENT, None, timeout_s)
    except SendError as error:
        raise SendError(redacted(str(error), secrets)) from None
    except Exception as error:  # whatever it is: it may hold the address
        raise SendError(redacted(f"{type(error).__name__}: {error}", secrets)) from None


def _send_to_webhook(options: TargetOptions, message: Mapping[str, Any], secrets: list[str]) -> None:
    """POST the message as JSON. Secrets that are used are added to ``secrets``. Raises SendError, or whatever a library
    raises."""
    from sensorlogd.alarms import webhook

    url = secret(options.webhook, options.webhook_file, secrets)
    token = secret(options.token, options.token_file, secrets)
    headers = {
        **_AGENT,
        "Content-Type": "application/json; charset=utf-8",
        "X-Sensorlogd-Message": str(message["message"]),
        "Idempotency-Key": str(message["message"]),
    }
    headers |= {name: secret(value, None, secrets) for name, value in options.headers.items()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    webhook.ask(url, headers, json.dumps(message, ensure_ascii=False).encode(), options.timeout / 1e6)


def _from_environment(command: Sequence[str]) -> list[str]:
    """Values of environment variables that occur in the arguments: secrets perhaps, which a program may repeat in its errors."""
    return [
        value
        for value in os.environ.values()
        if len(value) >= MIN_SECRET_CHARS and any(value in argument for argument in command[1:])
    ]


def _send_to_command(command: tuple[str, ...], timeout_s: float, message: Mapping[str, Any]) -> None:
    """Pass the message as a line of JSON to the program. Raises SendError if it does not end in time or ends with an error."""
    ended = processes.run(command, json.dumps(message, ensure_ascii=False).encode() + b"\n", timeout_s)
    if ended is None:
        raise SendError(f"{command[0]} did not end within {timeout_s:g} s")
    status, said = ended
    if status:
        raise SendError(f"{command[0]} ended with {status}: {said}")


def _send_by_apprise(options: TargetOptions, message: Mapping[str, Any], secrets: list[str]) -> None:
    """Pass the message to Apprise, in a process of its own. Secrets that are used are added to ``secrets``. Raises SendError."""
    over = all(body["kind"] == "resolved" for body in message["alarms"])
    request = {
        "address": secret(options.apprise, options.apprise_file, secrets),
        "title": message["title"],
        "body": f"{message['text']}\n\n[{str(message['message'])[:8]}]",
        "kind": "SUCCESS" if over else _KINDS[message["severity"]],
    }
    command, environment = module_command(apprise_child.__name__)
    ended = processes.run(command, json.dumps(request).encode(), options.timeout / 1e6, environment)
    if ended is None:
        raise SendError(f"Apprise did not deliver it within {options.timeout / 1e6:g} s")
    status, said = ended
    if status == apprise_child.NOT_INSTALLED:
        raise SendError(f"Apprise is not installed: {extras.advice('notify')}")
    if status == apprise_child.NOT_UNDERSTOOD:
        raise SendError("Apprise does not understand the address; its wiki has one for each service")
    if status:
        raise SendError(f"Apprise could not deliver it: {said}")


_KINDS = {"info": "INFO", "warning": "WARNING", "critical": "FAILURE"}
