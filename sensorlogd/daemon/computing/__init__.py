"""Computed sensors in the daemon: how their readings are computed and stored, and how they continue after a restart or a reload.

State, where it is, and what happens to it:

===========================  ==============================  ==========================================================
state                        owner                           over a reload (after a restart: from the log, or anew)
===========================  ==============================  ==========================================================
readings of the inputs       ``Engine.memories``             kept while the heartbeat stays; else read by ``warm_up``
sum and last value           ``Node.state`` of an integral   kept while channel and scale stay; else ``warm_up`` goes on
                                                             from the last good stored reading
last value                   ``Node.state`` of a derivative  kept while the channel stays; else begins anew
which times are computed     ``Node``                        kept while the channel stays; else what the log has
stored last                  ``Deadband``                    kept (``ComputedSensor.go_on_from``); of channels that
                                                             changed the newest stored reading (``seed``)
max_rate, stuck_after        ``ChannelTreatment``            kept while nothing of the sensor changed; else begin anew
state, counters              ``SensorStatus``                as above
===========================  ==============================  ==========================================================

"The channel stays" means that ``computed.channel.Channel`` is equal: formula, inputs with their heartbeats, join, what
it follows. For users: docs/computed.md, "After a reload"."""
