"""The database: all SQL, the file and its repair, roll-ups, corrections, questions. The order is that of the import contract: each
knows those below it.

    alarms          what is stored of alarms, and as rows for people
    salvage         brings back what a damaged file holds
    query           answers questions: ``log_reader.LogReader`` is where to begin
    open_database   one opened file and all that is known of it; the writer's
    maintenance     moves, expires, copies, examines
    series          which sensors and series there are
    corrections     changes readings after they were stored, and takes that back
    worker, work    long work: what does it, and the table of what is to be done
    ingest          rows on their way into the tables
    rollups         computes and stores roll-ups
    reading_tables  the only SQL on the tables of readings
    cuts, watermarks, meta, pace    how far things have got, and how much a slice takes on
    schema, migrations              how a file gets the newest schema
    file            the file itself, below all tables
"""
