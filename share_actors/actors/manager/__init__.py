"""The manager: Manila's verbs, routed to entities."""
