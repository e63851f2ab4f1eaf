"""From the inbox to the file: the writer thread, what it does at each turn, and what happens when the database fails.

``build`` makes its parts · ``writer`` the loop · ``intake`` what waits to be stored · ``commits`` one transaction ·
``between_commits`` jobs, kept work, upkeep · ``recovery`` when the database fails · ``disk`` what lies around the database ·
``ending`` the last things · ``totals`` what was done.
"""
