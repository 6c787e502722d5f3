"""What an assessment says, in files and pages: figures, tables and templates need the extra `assess`."""
