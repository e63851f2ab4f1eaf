"""The daemon: its rooms, and the thread or process that each of them runs on.

``main`` the main thread: starts, watches, reloads and stops all others · ``web_process`` the main thread's side of that process
``sensing`` a thread "sensor-NAME" for each sensor: driver, treatment, inbox
``writing`` the thread "writer", the only one that writes to the database · ``computing`` computed sensors, on the same thread
``rollups`` the coordinator, on the main thread, and the aggregator, a process
``control`` the threads "control", which speaks with clients, and "control-acts", which does what they ask
``care`` the thread "care": signs of life, and backups, each made by a process of its own
``machine`` the thread "machine", which looks once whether the configuration can work here; verbs look, too
``timekeeping`` the judged clock, which every thread asks · ``backoff`` pauses that grow, for whoever tries again
"""
