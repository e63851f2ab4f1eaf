"""Alarms as they are stored: the state of each, every change of a state, the notifications, and all of it as rows for people.

Fields named ``..._at`` hold time watched (see ``alarms.judging.watch``), those named ``..._us`` the wall clock; both in microseconds.
"""
