"""What makes bytes a frame: header, footer, length, checksum. Pure, and independent of how frames are separated."""

from __future__ import annotations

from sensorlogd.drivers.serial.framing.frame_options import FrameFormat, LengthField, matcher


class Shape:
    """What a format says of the bytes of a frame. ``flaw`` judges one."""

    def __init__(self, options: FrameFormat) -> None:
        self.options = options
        self.header = matcher(options.header) if options.header else None
        self.header_bytes = len(options.header) // 2
        self.footer = matcher(options.footer) if options.footer else None
        self.footer_bytes = len(options.footer) // 2
        self.check = options.checksum.checksum() if options.checksum else None
        self.fixed = options.length if isinstance(options.length, int) else None
        self.field = options.length if isinstance(options.length, LengthField) else None
        self.least = max(self.header_bytes + self.footer_bytes + (self.check.width if self.check else 0), 2)
        if self.field is not None:
            self.least = max(self.least, self.field.at + self.field.size())
        if self.fixed is not None:
            self.least = max(self.least, self.fixed)
        # Nothing but length and header tells a frame from noise.
        self.unproven = self.footer is None and self.check is None
        self._order = self.field.byte_order or options.byte_order if self.field else options.byte_order

    def length_in_field(self, data: bytes | bytearray, start: int) -> int:
        """The length of the whole frame at ``start``, from its length field."""
        field = self.field
        assert field is not None
        begin = start + field.at
        return int.from_bytes(data[begin : begin + field.size()], self._order) * field.times + field.plus

    def flaw(self, frame: bytes) -> str | None:
        """What is wrong with the frame: None if nothing is, "" if it needs no words."""
        if self.header is not None and not self.header.match(frame):
            return ""
        if self.footer is not None and not self.footer.fullmatch(frame, len(frame) - self.footer_bytes):
            return "has no footer" if self.header is not None else ""
        if self.check is None:
            return None
        options = self.options.checksum
        assert options is not None
        width = self.check.width
        start = options.at if options.at is not None else -self.footer_bytes - width
        start = start if start >= 0 else len(frame) + start
        stop = start if options.stop is None else options.stop if options.stop >= 0 else len(frame) + options.stop
        if start < 0 or start + width > len(frame) or stop < options.start:
            return "has no room for its checksum"
        given = int.from_bytes(frame[start : start + width], options.byte_order or self.options.byte_order)
        expected = self.check.compute(frame[options.start : stop])
        return None if given == expected else f"checksum {given:#x}, expected {expected:#x}"
