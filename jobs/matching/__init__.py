"""Which events set off what: patterns of types, filters over content, templates for payloads, the index over all rules."""
