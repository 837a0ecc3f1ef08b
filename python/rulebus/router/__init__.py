"""A bus as a process of its own: events come in as JSON lines, by standard input, growing files or HTTP.

`entries` reads a line, `lines` cuts and puts them, `sources` brings them, `endpoint` serves HTTP, `reports` complains in measure,
`service` holds them together from start to drain. Relies on `config` for what to run.
"""
