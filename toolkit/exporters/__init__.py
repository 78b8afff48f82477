"""What happened, in the words of other systems: a file each, from facts to what they read."""
