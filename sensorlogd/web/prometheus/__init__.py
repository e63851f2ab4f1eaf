"""The read API of Prometheus, for what asks Prometheus already: Grafana points its built-in data source here.

``values``       what an expression evaluates to, and what can go wrong
``source``       the log as labelled series
``engine``       an expression over a grid of instants; parsed by the package promql-parser, never by hand
``windows``      functions of a range of readings (``rate``, ``avg_over_time`` ...)
``functions``    functions of single values (``abs``, ``label_replace`` ...)
``operators``    operators and the matching of two vectors
``aggregation``  ``sum by (...)`` and the like
``routes``       paths and forms of the HTTP API

Semantics are those of Prometheus 3: windows are open on the left. What is not supported is refused by name.
"""

from sensorlogd.web.prometheus.routes import routes

__all__ = ["routes"]
