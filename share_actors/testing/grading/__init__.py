"""Grades of drivers: the contract is run against a driver, and its outcome told promise by promise."""
