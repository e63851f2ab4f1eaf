"""Modbus RTU, ASCII and TCP: registers of one unit as channels; many units may share a port."""

from sensorlogd.drivers.modbus.driver import ModbusDriver as ModbusDriver
