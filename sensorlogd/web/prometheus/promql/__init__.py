"""The PromQL evaluator: evaluates an expression over a grid of instants, from any source of labelled series.

``engine``       parses a query (the package promql-parser, never by hand) and evaluates its syntax tree
``evaluator``    what selectors, operators and functions may ask of whoever evaluates them
``grid``         the instants at which a query is evaluated
``values``       instant vectors, scalars and strings, and what can go wrong
``queryable``    what a source of series must offer
``statistics``   sums, quotients, means, quantiles and variances of floats
``patterns``     regular expressions, anchored and of bounded cost
``selectors``    instant vectors, range vectors, subqueries; label matchers
``operators``    binary operators, vector matching, aggregation
``functions``    whatever is called by a name

Every node is evaluated for all instants of the grid at once, so a source is asked once for each selector, not once a step.
Nothing here knows what a log is, nor HTTP. Only ``engine`` and what is imported by it alone need promql-parser and RE2.
"""
