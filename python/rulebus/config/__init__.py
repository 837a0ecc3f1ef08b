"""Router files: buses, rules, targets, store and schedules in one TOML file, validated as a whole.

`places` finds where each value stands in the text, `faults` collects what is wrong with line and caret, `reader`
takes typed values out of tables, `schema` says what a router file holds, `build` makes a bus of it and brings a
running bus up to date. Must never start anything before the whole file was found good.
"""
