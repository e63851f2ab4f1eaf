"""M-Bus (EN 13757): heat, water, gas and electricity meters on a two-wire bus behind a level converter."""

from sensorlogd.drivers.mbus.driver import MbusDriver as MbusDriver
