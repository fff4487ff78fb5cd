"""`share-actors demo`: a checked tour of the system on real directories."""
