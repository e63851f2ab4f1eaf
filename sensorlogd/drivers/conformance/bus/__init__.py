"""A simulated bus that any driver which asks can be run against: several units of different manners on one line (a pty or a TCP
connection), some slow, late, dead, chatty, damaged, repeating themselves or exchanged on the way.

    from sensorlogd.drivers.conformance.bus import Bus, check_bus

    def test_no_answer_is_taken_for_anothers():
        check_bus(Bus(Acme, dialect=AcmeBus(), sensors={"a": {...}}, expected={("a", "t"): {(1, 0)}}), seed=7, questions=500)

Every value that a unit says encodes the unit, the register and which time it was asked (``spoken``); the oracle is which unit said
which value. Whatever the seed decides is decided before the question comes, so that a failure can be shown again, as far as
threads allow. A delivery that comes later than ``LATEST`` turnarounds, because the machine was busy, is left out: on a line whose
answers do not say whose they are, no driver could know better.

``python -m sensorlogd.drivers.conformance.bus --kind modbus-rtu --questions 10000`` runs the drivers that are shipped.
"""

from sensorlogd.drivers.conformance.bus.dialects import Asked as Asked
from sensorlogd.drivers.conformance.bus.dialects import Dialect as Dialect
from sensorlogd.drivers.conformance.bus.manners import LATEST as LATEST
from sensorlogd.drivers.conformance.bus.manners import Manner as Manner
from sensorlogd.drivers.conformance.bus.oracle import Ledger as Ledger
from sensorlogd.drivers.conformance.bus.oracle import heard as heard
from sensorlogd.drivers.conformance.bus.oracle import spoken as spoken
from sensorlogd.drivers.conformance.bus.running import Bus as Bus
from sensorlogd.drivers.conformance.bus.running import check_bus as check_bus
from sensorlogd.drivers.conformance.bus.running import run_bus as run_bus
