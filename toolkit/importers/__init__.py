"""Other systems' history becomes facts: interchange events, build records, raw logs."""
