"""The operators of PromQL: arithmetic, comparison, sets, vector matching, aggregation.

``arithmetic``   what they do with two floats, with two scalars, and with a vector and a scalar
``matching``     how the series of two vectors find their partners, and what each pair gives
``sets``         ``and``, ``or``, ``unless``
``binary``       which of these a binary expression means
``aggregation``  many series to few: ``sum by (...)`` and the like
"""
