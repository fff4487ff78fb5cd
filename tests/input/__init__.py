"""Every public parameter, given every kind of value: accepted, or refused before anything is recorded."""
