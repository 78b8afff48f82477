"""The state core: pure knowledge about states, events, progress, policies and failures."""
