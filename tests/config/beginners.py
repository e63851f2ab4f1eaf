"""What people get wrong in their first configuration: a good file, and one change of it for each mistake."""

from __future__ import annotations

from typing import NamedTuple

GOOD = """\
daemon:
  data_dir: ./log
  timezone: Europe/Vienna
storage:
  commit_interval: 2s
retention:
  readings: 2y
web:
  listen: 127.0.0.1:8321
templates:
  probe:
    driver: simulated
    interval: 5s
sensors:
  cellar:
    template: probe
    labels: {floor: minus one}
    channels:
      humidity: {unit: '%', signal: constant, valid: [0, 100]}
      door:
        kind: state
        signal: {square: {period: 1h}}
  boiler:
    driver: serial
    port: /dev/serial/by-id/usb-boiler
    baudrate: 19200
    parity: even
    format:
      type: csv
      fields: [flow, return, pump]
      separator: ';'
    channels:
      flow:
        unit: °C
        scale: 0.1
      return: {unit: °C, max_rate: 5/min}
      pump: {kind: counter}
"""


class Mistake(NamedTuple):
    """``old`` becomes ``new``; the message begins with ``place`` (line:col) and holds ``found``, ``allowed`` and ``cure``."""

    what: str
    old: str
    new: str
    place: str
    found: str
    allowed: str
    cure: str


M = Mistake
MISTAKES = [
    M("a percent sign without quotes", "unit: '%'", "unit: %", "19:24", "'%'", "a meaning of its own", "put it in quotes: '%'"),
    M(
        "an at sign at the beginning",
        "floor: minus one",
        "floor: @home",
        "17:21",
        "'@home'",
        "a meaning of its own",
        "put it in quotes: '@home'",
    ),
    M(
        "an asterisk at the beginning",
        "floor: minus one",
        "floor: *",
        "17:22",
        "'*'",
        "refers to a marked part",
        "put it in quotes: '*'",
    ),
    M(
        "an asterisk and a word",
        "floor: minus one",
        "floor: *ground",
        "17:21",
        "'*ground'",
        "refers to a marked part",
        "put it in quotes: '*ground'",
    ),
    M(
        "an exclamation mark",
        "floor: minus one",
        "floor: !first",
        "17:21",
        "'!first'",
        "a meaning of its own",
        "put it in quotes: '!first'",
    ),
    M(
        "a backslash in double quotes",
        "./log",
        '"C:\\data"',
        "2:16",
        '"C:\\data"',
        "begins a special character",
        "use single quotes",
    ),
    M(
        "a second colon in a text",
        "    port: /dev/serial/by-id/usb-boiler",
        "    port: serial: usb-boiler",
        "25:11",
        "'serial: usb-boiler'",
        "begin another key",
        "port: 'serial: usb-boiler'",
    ),
    M(
        "text after a quote",
        "data_dir: ./log",
        "data_dir: './log' today",
        "2:21",
        "'today'",
        "follows a closed quote",
        "one pair of quotes",
    ),
    M(
        "a double quote left open",
        "separator: ';'",
        'separator: ";',
        "31:18",
        "'\";'",
        "not closed in its line",
        'write " at the end',
    ),
    M(
        "a single quote left open",
        "separator: ';'",
        "separator: ';",
        "31:18",
        '"\';"',
        "not closed in its line",
        "write ' at the end",
    ),
    M(
        "a bracket left open at a line's end",
        "[flow, return, pump]",
        "[flow, return, pump",
        "30:15",
        "'fields: [flow, return, pump'",
        "never closed",
        "write ']' at its end",
    ),
    M(
        "a bracket closed by a brace",
        "[flow, return, pump]",
        "[flow, return, pump}",
        "30:15",
        "before '}'",
        "opened here and not closed",
        "write ']' before it",
    ),
    M("a parenthesis for a bracket", "[0, 100]", "(0, 100)", "19:54", "'(0'", "a list in brackets", "write valid: [0, ...]"),
    M(
        "a bracket too many",
        "[flow, return, pump]",
        "[flow, return, pump]]",
        "30:35",
        "']'",
        "a bracket that is not open",
        "take it out",
    ),
    M(
        "a brace never closed inside the file",
        "{square: {period: 1h}}",
        "{square: {period: 1h}",
        "22:17",
        "'signal: {square: {period: 1h}'",
        "never closed",
        "write '}' at its end",
    ),
    M(
        "a comma forgotten before a key",
        "unit: '%', signal",
        "unit: '%' signal",
        "19:28",
        "'signal: constant",
        "a comma is missing",
        "write a comma after",
    ),
    M(
        "a comma forgotten after a bracket",
        "valid: [0, 100]}",
        "valid: [0, 100] scale: 2}",
        "19:63",
        "'scale: 2}'",
        "a comma is missing",
        "write a comma after",
    ),
    M(
        "a semicolon for a comma",
        "unit: °C, max_rate",
        "unit: °C; max_rate",
        "36:26",
        "'max_rate'",
        "a comma is missing",
        "write '°C, max_rate: ...'",
    ),
    M(
        "a colon forgotten after a section",
        "storage:\n",
        "storage\n",
        "4:1",
        "'storage'",
        "a line is 'key: value'",
        "write 'storage:'",
    ),
    M(
        "a colon forgotten after a key",
        "    parity: even",
        "    parity even",
        "27:5",
        "'parity even'",
        "a line is 'key: value'",
        "write 'parity: even'",
    ),
    M(
        "a colon forgotten after a channel",
        "      door:\n",
        "      door\n",
        "20:7",
        "'door'",
        "a line is 'key: value'",
        "write 'door:'",
    ),
    M(
        "an equals sign",
        "  timezone: Europe/Vienna",
        "  timezone = Europe/Vienna",
        "3:3",
        "'timezone = Europe/Vienna'",
        "a line is 'key: value'",
        "write 'timezone: Europe/Vienna'",
    ),
    M(
        "an equals sign in braces",
        "{kind: counter}",
        "{kind=counter}",
        "37:14",
        "'kind=counter'",
        "a key, a colon and a blank",
        "write 'kind: counter'",
    ),
    M(
        "no blank after the colon",
        "    parity: even",
        "    parity:even",
        "27:5",
        "'parity:even'",
        "a line is 'key: value'",
        "write 'parity: even'",
    ),
    M(
        "no blank after the colon in braces",
        "{kind: counter}",
        "{kind:counter}",
        "37:14",
        "'kind:counter'",
        "a key, a colon and a blank",
        "write 'kind: counter'",
    ),
    M(
        "a tab before a channel's key",
        "        scale: 0.1",
        "\t\tscale: 0.1",
        "35:1",
        "'scale: 0.1'",
        "by blanks only",
        "replace the tab by blanks",
    ),
    M(
        "one blank too many",
        "  commit_interval: 2s\nretention",
        "  commit_interval: 2s\n   min_free: 1GB\nretention",
        "6:4",
        "'min_free: 1GB' stands 3 blanks in",
        "has its value already",
        "in the same column (2 blanks)",
    ),
    M(
        "one blank too few",
        "        scale: 0.1",
        "       scale: 0.1",
        "35:8",
        "'scale: 0.1' stands 7 blanks in",
        "begin in the same column",
        "6 or 8 blanks",
    ),
    M(
        "a key at the far left",
        "    baudrate: 19200",
        "baudrate: 19200",
        "26:1",
        "'baudrate: 19200' stands 0 blanks in",
        "begin in the same column",
        "indent it by 4 blanks more",
    ),
    M(
        "a sensor at the far left",
        "  boiler:\n",
        "boiler:\n",
        "23:1",
        "boiler: is a sensor in the first column",
        "sensors stand below sensors:",
        "indent it and all its lines",
    ),
    M(
        "a dash without a blank",
        "      fields: [flow, return, pump]\n",
        "      fields:\n        -flow\n        -return\n",
        "31:9",
        "'-flow -return'",
        "a list in brackets",
        "'- entry', with a blank after the dash",
    ),
    M(
        "a dash among keys",
        "    parity: even",
        "    - parity: even",
        "27:5",
        "'- parity: even'",
        "a line here is 'key: value'",
        "take the dash away",
    ),
    M(
        "a section as a list",
        "  listen:",
        "  - listen:",
        "9:3",
        "the list [listen: ...]",
        "must hold keys with values",
        "without dashes",
    ),
    M(
        "sensors as a list",
        "sensors:\n",
        "sensors: [cellar, boiler]\nx:\n",
        "14:10",
        "the list [cellar, boiler]",
        "must hold names",
        "write cellar: below sensors:",
    ),
    M(
        "a sensor that is only a word",
        "  boiler:\n",
        "  attic: simulated\n  boiler:\n",
        "23:3",
        "'simulated'",
        "must hold keys with values",
        "write them below attic:",
    ),
    M(
        "a channel that is only its unit",
        "return: {unit: °C, max_rate: 5/min}",
        "return: °C",
        "36:15",
        "'°C'",
        "must hold keys with values",
        "write return: {unit: °C}",
    ),
    M(
        "a channel as a list",
        "pump: {kind: counter}",
        "pump: [counter]",
        "37:13",
        "the list [counter]",
        "must hold keys with values",
        "write pump: {unit: ...}",
    ),
    M(
        "a key twice",
        "    parity: even\n",
        "    parity: even\n    parity: odd\n",
        "28:5",
        "is here a second time",
        "the first is in line 27",
        "keep one of them",
    ),
    M(
        "an empty value",
        "    baudrate: 19200",
        "    baudrate:",
        "26:14",
        "the value is empty",
        "a whole number",
        "write digits, e.g. 9600",
    ),
    M(
        "a number with its unit",
        "baudrate: 19200",
        "baudrate: 19200 baud",
        "26:15",
        "'19200 baud'",
        "a whole number",
        "write 19200, without",
    ),
    M(
        "a number with letters",
        "baudrate: 19200",
        "baudrate: 192OO",
        "26:15",
        "'192OO'",
        "a whole number",
        "write 19200, with digits",
    ),
    M(
        "a number with a comma for thousands",
        "baudrate: 19200",
        "baudrate: 19,200",
        "26:15",
        "'19,200'",
        "a whole number",
        "write 19200",
    ),
    M("a decimal comma", "scale: 0.1", "scale: 0,1", "35:16", "'0,1'", "must be a number", "write 0.1"),
    M(
        "a list for a number",
        "scale: 0.1",
        "scale: [0.1]",
        "35:16",
        "the list [0.1]",
        "must be a number",
        "write digits, e.g. 1.0",
    ),
    M("a factor of nothing", "scale: 0.1", "scale: 0", "35:16", "0 would", "make every reading the same", "write another number"),
    M(
        "a number for a unit",
        "unit: °C\n",
        "unit: 20\n",
        "34:15",
        "'20' is a number",
        "a unit is a text",
        "scale: 20 for a factor",
    ),
    M("a list for a unit", "unit: °C\n", "unit: [°C]\n", "34:15", "the list [°C]", "must be a text", "write one text"),
    M(
        "a word of another's for a kind",
        "kind: counter",
        "kind: count",
        "37:20",
        "'count'",
        "'gauge', 'counter', 'angle' or 'state'",
        "did you mean 'counter'?",
    ),
    M("a parity that is none", "parity: even", "parity: E", "27:13", "'E'", "'none', 'even', 'odd'", "write one of them"),
    M(
        "a yes or no that is neither",
        "  listen: 127",
        "  enabled: maybe\n  listen: 127",
        "9:12",
        "'maybe'",
        "true or false",
        "write true or false",
    ),
    M(
        "limits the wrong way round",
        "[0, 100]",
        "[100, 0]",
        "19:54",
        "lowest value 100",
        "below the highest 0",
        "write the lower one first",
    ),
    M("one limit only", "[0, 100]", "[0]", "19:54", "the list [0]", "an entry is missing", "write all of them"),
    M("three limits", "[0, 100]", "[0, 50, 100]", "19:54", "the list [0, 50, 100]", "at most 2 entries", "write as many"),
    M("an interval without a unit", "interval: 5s", "interval: 5", "13:15", "'5'", "a number and a unit", "e.g. 5s"),
    M("an interval in words", "interval: 5s", "interval: 5 seconds", "13:15", "'5 seconds'", "a number and a unit", "e.g. 5s"),
    M(
        "a commit interval that is too long",
        "commit_interval: 2s",
        "commit_interval: 1h",
        "5:20",
        "'1h'",
        "at most 10min",
        "write 10min or less",
    ),
    M("a retention that is too short", "readings: 2y", "readings: 10min", "7:13", "'10min'", "at least 1h", "write 1h or more"),
    M(
        "a rate without a unit of time",
        "max_rate: 5/min",
        "max_rate: 5",
        "36:36",
        "'5'",
        "a slash and a unit of time",
        "e.g. 5/min",
    ),
    M(
        "a zone that is none",
        "Europe/Vienna",
        "Europe/Wien",
        "3:13",
        "'Europe/Wien'",
        "IANA time zone",
        "did you mean 'Europe/Vienna'?",
    ),
    M(
        "an address without a port",
        "127.0.0.1:8321",
        "127.0.0.1",
        "9:11",
        "'127.0.0.1'",
        "an address and a port",
        "write e.g. 127.0.0.1:8321",
    ),
    M(
        "a template that is not there",
        "template: probe",
        "template: prob",
        "16:15",
        "'prob'",
        "known: probe",
        "did you mean 'probe'?",
    ),
    M(
        "a driver that is none",
        "driver: serial",
        "driver: rs232",
        "24:13",
        "'rs232'",
        "known: command, mbus",
        "serial, simulated",
    ),
    M(
        "a blank in a name",
        "  boiler:\n",
        "  boiler room:\n",
        "23:3",
        "boiler room: is not a name",
        "use letters, digits",
        "e.g. boiler_room",
    ),
    M(
        "a port forgotten",
        "    port: /dev/serial/by-id/usb-boiler\n",
        "",
        "24:5",
        "is not there",
        "is required here",
        "add port: VALUE (/dev/serial",
    ),
    M(
        "a key misspelt",
        "    baudrate:",
        "    baudrte:",
        "26:5",
        "baudrte: unknown key",
        "known: baudrate",
        "did you mean 'baudrate'?",
    ),
    M("a section misspelt", "storage:", "storeage:", "4:1", "storeage: unknown key", "known: daemon", "did you mean 'storage'?"),
    M(
        "a signal that is none",
        "signal: constant",
        "signal: sinus",
        "19:37",
        "sinus: unknown key",
        "known: constant",
        "did you mean 'sine'?",
    ),
    M(
        "a line without anything of YAML",
        "web:\n",
        "please log everything\nweb:\n",
        "8:1",
        "'please log everything'",
        "a line is 'key: value'",
        "# before a remark",
    ),
]
