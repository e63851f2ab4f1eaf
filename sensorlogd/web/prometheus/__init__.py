"""The read API of Prometheus, so that Grafana's built-in data source and other clients of Prometheus can read the log.

``promql``       the evaluator: an expression over a grid of instants, of any source of labelled series
``source``       the log as labelled series
``rolled``       functions of windows from roll-ups; ``tiles``: how windows lie on them
``limits``       how much a query may look at and give
``text``         results as the JSON of its API
``evaluation``   the questions, as functions of a log that a worker calls
``routes``       paths and forms of the HTTP API, in the web process

Alarms as rules and alerts are in ``web.alerting``, because ``/metrics`` shows them too.

Semantics are those of Prometheus 3: windows are open on the left. What is not supported is refused by name.
"""
