"""`python -m rulebus.cli`: the same as the command `rulebus`. Must never do anything of its own."""

from rulebus.cli import main

raise SystemExit(main())
