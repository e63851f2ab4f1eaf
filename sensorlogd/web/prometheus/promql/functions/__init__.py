"""The functions of PromQL, one module for each kind.

``calls``        the names, and which of these modules knows them
``windows``      formulas over the readings of one window (``rate``, ``avg_over_time`` ...)
``over_time``    those formulas at all instants of the grid, from readings or roll-ups
``elementwise``  functions of single values (``abs``, ``clamp`` ...)
``calendar``     parts of the date (``hour``, ``day_of_week`` ...)
``conversions``  ``time``, ``vector``, ``scalar``, ``timestamp``
``absence``      ``absent`` and ``absent_over_time``
``labels``       ``label_replace`` and ``label_join``
``ordering``     ``sort`` and ``sort_desc``
"""
