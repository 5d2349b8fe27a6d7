"""The event-driven application: state machines, the engine that runs them here, arrivals, test traffic."""
