"""Whoever asks a device asks through one transaction: one ``Line`` for each port or connection, shared by all sensors on it.

    line.py      what is known of a line: openings, the open question, when it is free; debts.py: the answers that are still
                 owed; habits.py: how slow its units are and what follows their answers; lines.py: all lines of the process
    asking.py    one question and its fate: turn, quiet time, echo, retries, time-out, reconnection
    answers.py   what a driver must say of the answer it waits for, so that another's is not taken for it
    echo.py      on a half-duplex line what we send comes back
    asking_pace.py   who does not answer is asked less often

A driver makes one ``Asker`` for its port and asks ``Question``; it gets an ``Outcome``.
"""

from sensorlogd.drivers.transactions.answers import Awaited as Awaited
from sensorlogd.drivers.transactions.asking import Asker as Asker
from sensorlogd.drivers.transactions.asking import Fate as Fate
from sensorlogd.drivers.transactions.asking import Outcome as Outcome
from sensorlogd.drivers.transactions.asking import Question as Question
from sensorlogd.drivers.transactions.asking_pace import AskingPace as AskingPace
from sensorlogd.drivers.transactions.line import Line as Line
from sensorlogd.drivers.transactions.lines import line_of as line_of
