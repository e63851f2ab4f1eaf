"""Telegrams of many lines that end with a checksum: VE.Direct, teleinfo, smart meters (OBIS)."""
