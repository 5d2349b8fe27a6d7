"""Watch an endpoint: look at what it captured since the last look, say what is wrong and why, and do what helps."""
