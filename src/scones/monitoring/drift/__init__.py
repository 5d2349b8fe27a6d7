"""Watch a stream of pictures for drift, one by one, with a proven bound on false alarms. No I/O."""
