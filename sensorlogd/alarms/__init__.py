"""Alarms: judged on what is being committed, kept in the database, told to people.

``plan`` what the configuration asks for · ``terms`` what conditions compare · ``states`` ISA-18.2 · ``judge`` changes, a pure
function of readings, events and time · ``keeper`` the one object that the writer holds · ``notices``, ``sender``, ``targets``
how people are told · ``rehearsal`` what would have been.
"""
