"""What is going on now: running and held builds as one value, on a terminal and in a browser."""
