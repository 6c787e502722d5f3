"""A folder of photographs from plan to report: dry run, resume, quarantine, hash-chained ledger, keyed names."""
