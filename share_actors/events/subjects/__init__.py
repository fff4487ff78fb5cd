"""Data subjects: users, projects and clients whose names the log holds only sealed, each under its own key.

Forgetting a subject destroys its key. The stored bytes stay as they are, so that proofs hold; what was
sealed for the subject reads as *erased* from then on.
"""
