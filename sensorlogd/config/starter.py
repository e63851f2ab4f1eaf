"""The commented configuration that ``sensorlogd init`` writes: three simulated sensors, ready to run, and what to change."""

STARTER = """\
# sensorlogd configuration. Check it with:  sensorlogd check
# Every key is explained in docs/configuration.md; 'sensorlogd schema' gives editors completion.

daemon:
  data_dir: ./sensorlogd-data      # the database lives here: sensorlogd.db is the one file to back up
  timezone: UTC                    # days begin at midnight here, e.g. Europe/Berlin

storage:
  commit_interval: 1s              # at most this much is lost on a power cut; 10s is kinder to an SD card
  min_free: 200MB                  # stop writing when the disk has less left

# retention: {readings: 2y}        # the default keeps everything for ever

sensors:
  greenhouse:                      # simulated, to try things; replace it by your own
    driver: simulated
    interval: 1s
    channels:
      temperature:
        unit: °C
        signal: {diurnal: {offset: 21, amplitude: 6, noise: 0.1}}
        valid: [-40, 85]           # outside: stored, flagged fail:gross_range
        max_rate: 5/s              # faster: flagged suspect:rate_of_change
      humidity: {unit: "%", decimals: 1, signal: {random_walk: {start: 55, step: 0.2, low: 30, high: 95}}, valid: [0, 100]}

  well:
    driver: simulated
    interval: 2s
    channels:
      level: {unit: m, decimals: 3, signal: {sine: {offset: 3.2, amplitude: 0.4, period: 1h, noise: 0.01}}}
      pump: {kind: state, signal: {square: {low: 0, high: 1, period: 10min, duty: 0.3}}}

  meter:
    driver: simulated
    interval: 1s
    channels:
      energy: {unit: Wh, kind: counter, signal: {counter: {step: 0.25}}}

# A real one: an Arduino that prints  "23.5,48"  once a second. 'sensorlogd ports' lists names for port:
#  arduino:
#    driver: serial
#    port: /dev/serial/by-id/usb-Arduino__www.arduino.cc__0043_1234-if00
#    baudrate: 9600
#    format: {type: csv, fields: [temperature, humidity]}
#    channels:
#      temperature: {unit: °C, valid: [-40, 85]}
#      humidity: {unit: "%", valid: [0, 100]}
"""
