"""Alarms: judged on what is being committed, kept in the database, told to people.

``plan`` what the configuration asks for · ``judging`` the changes of state, a pure function of readings, events and time:
``terms`` what conditions compare, ``states`` ISA-18.2 · ``keeping`` the database's part: ``keeper`` is the one object that the
writer holds · ``notifying`` how people are notified · ``rehearsal`` what would have been.
"""
