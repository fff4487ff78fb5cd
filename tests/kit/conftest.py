"""The generated package has tests of its own, which `test_new_driver.py` runs as its owner would."""

collect_ignore = ["share-actors-acme"]
