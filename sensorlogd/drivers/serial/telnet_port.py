"""``rfc2217://``: a port of another machine with its line settings, through telnet (RFC 2217; ser2net offers it).

pySerial speaks the protocol. Some of its habits do not fit here: it refuses a write timeout; every change of the read timeout
negotiates the whole line anew, which takes a twentieth of a second and more; and it gives up where the other end does not
answer a change of DTR, RTS or flow control. ser2net does not, where the port behind it has no such lines.
"""

from __future__ import annotations

import warnings
from typing import Any

import serial
from serial import rfc2217

SCHEME = "rfc2217://"
LINES_ANSWER_S = 1.0  # DTR, RTS and flow control are answered at once, or never


_Serial: Any = rfc2217.Serial  # what is known of its types leaves out what is overridden here


class TelnetPort(_Serial):  # type: ignore[misc]
    """Negotiates only what has changed, and asks for DTR and RTS only where a level was given.

    Writing is bounded by the socket's own timeout of five seconds.
    """

    def __init__(self, *arguments: Any, **keys: Any) -> None:
        self._agreed: tuple[object, ...] | None = None
        self._given: set[str] = set()
        super().__init__(*arguments, **keys)

    def open(self) -> None:
        """Raises SerialException; the connection is closed then."""
        self._agreed = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it names its thread in an old way
            super().open()

    def give(self, **levels: bool | None) -> None:
        """``dtr`` and ``rts`` to ask for at opening; None leaves the line as the other end has it."""
        for line, level in levels.items():
            if level is not None:
                self._given.add(line)
                setattr(self, line, level)

    def _reconfigure_port(self) -> None:
        wanted = (self._baudrate, self._bytesize, self._parity, self._stopbits, self._xonxoff, self._rtscts)
        if wanted != self._agreed:
            super()._reconfigure_port()
            self._agreed = wanted

    def _update_dtr_state(self) -> None:
        if "dtr" in self._given:
            super()._update_dtr_state()

    def _update_rts_state(self) -> None:
        if "rts" in self._given:
            super()._update_rts_state()

    def rfc2217_set_control(self, value: bytes) -> None:
        """As pySerial, but an end that does not answer has no such line."""
        control = self._rfc2217_options["control"]
        control.set(value)
        try:
            control.wait(LINES_ANSWER_S)
        except (serial.SerialException, ValueError):
            return
