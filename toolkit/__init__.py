"""Run builds as numbered states and remember what became of them."""
