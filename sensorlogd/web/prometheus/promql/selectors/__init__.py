"""The selectors of PromQL: which series and readings an expression reads.

``matchers``  which series are meant
``times``     when they are looked at: ``offset`` and ``@``
``instant``   instant vectors: the last reading within the lookback
``ranges``    range vectors, of selectors and of subqueries
"""
