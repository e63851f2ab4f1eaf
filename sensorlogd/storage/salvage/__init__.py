"""What can still be read of a damaged database, and how it comes back into the live one.

``rebuilding``: make a file that SQLite opens, from bytes. ``reading``: rows from a damaged file, past what is damaged.
``former``: what the damaged file is about (names, cuts, edges). ``plausible``: which of its values and rows make sense.
``pieces``: all of it in one fixed order, piece by piece. ``names``: which live series a former one is. ``restoring``: rows into
the live tables. ``salvage_order``: which file comes next. ``worker``: the kept work, with ``storing_piece`` and ``progress``.
``rescue``: what is still open of a file that was removed.
"""
