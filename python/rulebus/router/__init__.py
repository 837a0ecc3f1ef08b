"""A bus as a process of its own: events come in as JSON lines, by standard input, growing files or HTTP.

`entries` reads a line, `sources` brings lines to the bus, `endpoint` serves HTTP, `status` shows what happens, `service`
holds them together from start to drain. Relies on `config` for what to run.
"""
