"""The contracts of drivers, as tests: of a driver, of its share servers, and as clients see its shares."""
