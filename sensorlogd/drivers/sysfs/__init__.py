"""What the kernel measures already: hwmon, IIO, 1-Wire thermometers, thermal zones, power supplies, network counters."""

from sensorlogd.drivers.sysfs.driver import SysfsDriver as SysfsDriver
